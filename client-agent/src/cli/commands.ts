/** What `connect`, `disconnect` and `status` do, through the running agent. Each gives the exit code. */
import type { AgentStatus } from '@hearth/protocol';
import type { AgentClient, Reply } from '../local-api/client.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { complain, describe, explainProblem, say } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** `json`: the status that a command ends with is all that goes to stdout, as one document. */
export interface Output extends Terminal {
  json: boolean;
}

/** Connects and waits for the outcome: connected, or a named problem (the agent keeps trying in most cases). */
export async function connect(client: AgentClient, output: Output): Promise<ExitCode> {
  const reply = await client.connect();
  if (reply.kind !== 'ok') return failed(client, reply, output);
  for await (const status of client.events()) {
    if (status.state === 'connecting') continue;
    if (output.json) say(output, document(status));
    if (status.state === 'connected') {
      if (!output.json)
        say(output, `Connected to ${status.server ?? 'the server'} as ${status.address ?? 'this device'}.`);
      return EXIT.done;
    }
    if (status.problem) explainProblem(output, status.problem);
    else complain(output, `The tunnel is ${status.state}.`);
    if (status.state === 'reconnecting') output.stderr.write('  The agent keeps trying.\n');
    return EXIT.failed;
  }
  complain(output, 'The agent ended before it was connected.');
  return EXIT.failed;
}

export async function disconnect(client: AgentClient, output: Output): Promise<ExitCode> {
  const reply = await client.disconnect();
  if (reply.kind !== 'ok') return failed(client, reply, output);
  const status = reply.value;
  if (output.json) say(output, document(status));
  if (status.state === 'disconnected' && status.problem) {
    explainProblem(output, status.problem);
    return EXIT.failed;
  }
  if (!output.json) say(output, 'Disconnected.');
  return EXIT.done;
}

/** With `watch`, again after each change; as JSON then one document a line. */
export async function status(client: AgentClient, output: Output, watch: boolean): Promise<ExitCode> {
  const show = (now: AgentStatus) => {
    const json = watch ? JSON.stringify(now) : document(now);
    say(output, output.json ? json : describe(output, now));
  };
  const reply = await client.status();
  if (reply.kind !== 'ok') return failed(client, reply, output);
  if (!watch) {
    show(reply.value);
    return reply.value.state === 'unenrolled' ? EXIT.notRunning : EXIT.done;
  }
  for await (const now of client.events()) {
    show(now);
    if (!output.json) say(output, '');
  }
  complain(output, 'The agent has ended.');
  return EXIT.notRunning;
}

const document = (status: AgentStatus) => JSON.stringify(status, null, 2);

async function failed(
  client: AgentClient,
  reply: Exclude<Reply<AgentStatus>, { kind: 'ok' }>,
  output: Output,
): Promise<ExitCode> {
  if (reply.kind === 'not_running') {
    complain(output, 'The agent is not running. Start it with "hearth-agent run".');
    return EXIT.notRunning;
  }
  const now = await client.status();
  if (output.json && now.kind === 'ok') say(output, document(now.value));
  if (reply.code !== 'not_enrolled') {
    complain(output, reply.message);
    return EXIT.failed;
  }
  // A profile that is there but refused is a matter of configuration, and the status says what is wrong with it.
  const problem = now.kind === 'ok' ? now.value.problem : undefined;
  if (problem) explainProblem(output, problem);
  else complain(output, reply.message);
  return problem ? EXIT.usage : EXIT.notRunning;
}
