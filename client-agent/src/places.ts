/** Where the agent's files are, from the environment that is passed in. */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

/** The XDG base directory specification says to ignore a relative path. */
const folder = (value: string | undefined, otherwise: string) =>
  value !== undefined && isAbsolute(value) ? value : otherwise;

export function profilePath(env: Environment): string {
  return join(folder(env.XDG_CONFIG_HOME, join(homedir(), '.config')), 'hearth', 'profile.json');
}

/** `HEARTH_AGENT_SOCKET`, else the user's runtime directory, which systemd puts at /run/user/UID. */
export function socketPath(env: Environment): string {
  if (env.HEARTH_AGENT_SOCKET) return env.HEARTH_AGENT_SOCKET;
  const runtime = folder(env.XDG_RUNTIME_DIR, `/run/user/${process.getuid?.() ?? 0}`);
  return join(runtime, 'hearth', 'agent.sock');
}
