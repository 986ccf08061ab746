/** Where the agent listens: the setting, else HEARTH_AGENT_SOCKET, else the platform's place. */

type Platform = {
  os: string;
  env: Record<string, string | undefined>;
  home: string;
  uid: number | undefined;
};

/** The socket's path; undefined where the platform's place can't be known (Windows: its pipe name holds the SID). */
export function agentSocketPath(setting: string, platform: Platform): string | undefined {
  if (setting !== '') return setting;
  const { os, env, home, uid } = platform;
  if (env.HEARTH_AGENT_SOCKET) return env.HEARTH_AGENT_SOCKET;
  if (os === 'win32') return undefined;
  if (os === 'darwin') return `${home}/Library/Application Support/Hearth/agent.sock`;
  // The XDG base directory specification says to ignore a relative path.
  const runtime = env.XDG_RUNTIME_DIR?.startsWith('/') ? env.XDG_RUNTIME_DIR : `/run/user/${uid ?? 0}`;
  return `${runtime}/hearth/agent.sock`;
}
