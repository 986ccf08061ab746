/** `hearth-agent` as a user runs it: a process of its own, here inside the client namespace with a home of its own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argvOf, RunningCommand } from './cli.ts';
import type { Finished } from './cli.ts';
import type { Namespaces } from './namespaces.ts';

/** Folders for one user of the agent; removed on dispose. */
export interface AgentHome extends AsyncDisposable {
  readonly configHome: string;
  readonly socket: string;
  /** The whole environment for the agent and its commands. */
  readonly env: Readonly<Record<string, string>>;
}

export async function makeAgentHome(): Promise<AgentHome> {
  const home = await mkdtemp(join(tmpdir(), 'hearth-agent-'));
  const configHome = join(home, 'config');
  const socket = join(home, 'run', 'agent.sock');
  return {
    configHome,
    socket,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: home,
      XDG_CONFIG_HOME: configHome,
      HEARTH_AGENT_SOCKET: socket,
    },
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  };
}

/** Starts `hearth-agent run --no-tray` in the client namespace; resolves when it is ready. */
export async function startAgent(net: Namespaces, home: AgentHome): Promise<RunningCommand> {
  const agent = spawnAgent(net, home, 'run', '--no-tray');
  await agent.prints(/The agent is ready/);
  return agent;
}

/** Starts any `hearth-agent` command there, against the agent of that home. */
export const spawnAgent = (net: Namespaces, home: AgentHome, ...args: string[]) =>
  new RunningCommand(net.spawn('client', argvOf('hearth-agent', ...args), { env: home.env }));

/** Runs one to its end. */
export const agentCommand = (net: Namespaces, home: AgentHome, ...args: string[]): Promise<Finished> =>
  spawnAgent(net, home, ...args).finished;
