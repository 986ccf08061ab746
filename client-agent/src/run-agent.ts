/** The life of a running agent: listen, work until told to end, then tunnel down and socket gone. */
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Agent } from './agent.ts';
import { EXIT } from './cli/exit-code.ts';
import type { ExitCode } from './cli/exit-code.ts';
import { complain, say } from './cli/terminal.ts';
import type { Terminal } from './cli/terminal.ts';
import { claimSocket, listenOn, SocketError } from './local-api/socket.ts';

export interface Life {
  agent: Agent;
  api: FastifyInstance;
  socketPath: string;
  /** Resolves when the agent is to end. */
  ended: Promise<unknown>;
  terminal: Terminal;
  /** Say that it is ready with the status as JSON instead of words. */
  json: boolean;
  log: Logger;
}

/** The claim on the socket comes first: it is what keeps a second agent from touching the first one's interface. */
export async function runAgent(life: Life): Promise<ExitCode> {
  try {
    using _claim = await claimSocket(life.socketPath);
    return await live(life);
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    complain(life.terminal, error.message);
    return EXIT.failed;
  }
}

async function live({ agent, api, socketPath, ended, terminal, json, log }: Life): Promise<ExitCode> {
  // Begun before anybody can ask for something, so that the first request finds what it has to wait for.
  await Promise.all([agent.start(), listenOn(api, socketPath)]);
  log.info({ state: agent.status().state }, 'agent ready');
  say(terminal, json ? JSON.stringify(agent.status(), null, 2) : `The agent is ready on ${socketPath}.`);
  await ended;
  const left = await agent.end();
  await api.close();
  log.info('agent ended');
  // After a disconnect, a problem in this state means that the interface could not be removed.
  return left.state === 'disconnected' && left.problem ? EXIT.failed : EXIT.done;
}
