/** The life of a running agent: listen, work until told to end, then tunnel down and socket gone. */
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Agent } from './agent.ts';
import { EXIT } from './cli/exit-code.ts';
import type { ExitCode } from './cli/exit-code.ts';
import { complain, say } from './cli/terminal.ts';
import type { Terminal } from './cli/terminal.ts';
import { listenOn, SocketError } from './local-api/socket.ts';

export interface Life {
  agent: Agent;
  api: FastifyInstance;
  socketPath: string;
  /** Resolves when the agent is to end. */
  ended: Promise<unknown>;
  terminal: Terminal;
  log: Logger;
}

/** The socket comes first: it is what keeps a second agent from touching the first one's interface. */
export async function runAgent({ agent, api, socketPath, ended, terminal, log }: Life): Promise<ExitCode> {
  try {
    await listenOn(api, socketPath);
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    complain(terminal, error.message);
    return EXIT.failed;
  }
  await agent.start();
  log.info({ state: agent.status().state }, 'agent ready');
  say(terminal, `The agent is ready on ${socketPath}.`);
  await ended;
  const left = await agent.disconnect();
  await api.close();
  log.info('agent ended');
  // After a disconnect, a problem in this state means that the interface could not be removed.
  return left.state === 'disconnected' && left.problem ? EXIT.failed : EXIT.done;
}
