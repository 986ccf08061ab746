/** What `connect`, `disconnect` and `status` do, through the running agent. Each gives the exit code. */
import type { AgentStatus } from '@hearth/protocol';
import type { AgentClient, Reply } from '../local-api/client.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { complain, describe, explainProblem, say } from './terminal.ts';
import type { Terminal } from './terminal.ts';

/** Connects and waits for the outcome: connected, or a named problem (the agent keeps trying in most cases). */
export async function connect(client: AgentClient, terminal: Terminal): Promise<ExitCode> {
  const reply = await client.connect();
  if (reply.kind !== 'ok') return failed(client, reply, terminal);
  for await (const status of client.events()) {
    if (status.state === 'connected') {
      say(terminal, `Connected to ${status.server ?? 'the server'} as ${status.address ?? 'this device'}.`);
      return EXIT.done;
    }
    if (status.state === 'connecting') continue;
    if (status.problem) explainProblem(terminal, status.problem);
    else complain(terminal, `The tunnel is ${status.state}.`);
    if (status.state === 'reconnecting') terminal.stderr.write('  The agent keeps trying.\n');
    return EXIT.failed;
  }
  complain(terminal, 'The agent ended before it was connected.');
  return EXIT.failed;
}

export async function disconnect(client: AgentClient, terminal: Terminal): Promise<ExitCode> {
  const reply = await client.disconnect();
  if (reply.kind !== 'ok') return failed(client, reply, terminal);
  if (reply.value.state === 'disconnected' && reply.value.problem) {
    explainProblem(terminal, reply.value.problem);
    return EXIT.failed;
  }
  say(terminal, 'Disconnected.');
  return EXIT.done;
}

export interface StatusOptions {
  json?: boolean;
  watch?: boolean;
}

/** With `--watch`, again after each change; with `--json` as well, one document a line. */
export async function status(
  client: AgentClient,
  terminal: Terminal,
  options: StatusOptions,
): Promise<ExitCode> {
  const show = (now: AgentStatus) => {
    const indent = options.watch ? 0 : 2;
    say(terminal, options.json ? JSON.stringify(now, null, indent) : describe(terminal, now));
  };
  const reply = await client.status();
  if (reply.kind !== 'ok') return failed(client, reply, terminal);
  if (!options.watch) {
    show(reply.value);
    return reply.value.state === 'unenrolled' ? EXIT.notRunning : EXIT.done;
  }
  for await (const now of client.events()) {
    show(now);
    if (!options.json) say(terminal, '');
  }
  complain(terminal, 'The agent has ended.');
  return EXIT.notRunning;
}

async function failed(
  client: AgentClient,
  reply: Exclude<Reply<AgentStatus>, { kind: 'ok' }>,
  terminal: Terminal,
): Promise<ExitCode> {
  if (reply.kind === 'not_running') {
    complain(terminal, 'The agent is not running. Start it with "hearth-agent run".');
    return EXIT.notRunning;
  }
  if (reply.code !== 'not_enrolled') {
    complain(terminal, reply.message);
    return EXIT.failed;
  }
  // A profile that is there but refused is a matter of configuration, and the status says what is wrong with it.
  const now = await client.status();
  const problem = now.kind === 'ok' ? now.value.problem : undefined;
  if (problem) explainProblem(terminal, problem);
  else complain(terminal, reply.message);
  return problem ? EXIT.usage : EXIT.notRunning;
}
