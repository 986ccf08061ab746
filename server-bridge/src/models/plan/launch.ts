/** How to start a model server so that it takes what the plan says: a command, files it reads, and what to know. Pure. */

/** Settings that go together, one line of the shown command: a flag and its value, or a flag alone. */
type Flag = string;

export interface Launch {
  environment: Record<string, string>;
  /** The program and what it serves. */
  command: string;
  flags: Flag[];
  /** Files the command names. */
  files: { name: string; text: string }[];
  /** Flags that trade something and so are left to a person. */
  optional: { flags: Flag[]; why: string }[];
}

/** `--host` and `--port` of a backend's address; the scheme's own port where it names none. */
export function hostAndPort(url: string | undefined): { host: string; port: string } {
  const parsed = new URL(url ?? 'http://127.0.0.1:8000');
  const usual = parsed.protocol === 'https:' ? '443' : '80';
  return { host: parsed.hostname, port: parsed.port === '' ? usual : parsed.port };
}

/** An argument as a POSIX shell reads it back. */
export const quoted = (text: string) =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
