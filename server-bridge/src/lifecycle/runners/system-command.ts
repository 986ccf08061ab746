/** Runs one of the system's own programs, by its absolute path and an argument vector, and gives what it prints. */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Milliseconds after which a program that hangs is ended. */
const LIMIT_MS = 300_000;

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * The program in one of these folders, and in no other: PATH is not asked, so nothing can slip in front. Rejects when
 * it isn't there, when it can't be run, or when the signal fires; an exit code is a result.
 */
export async function systemCommand(
  name: string,
  args: readonly string[],
  folders: readonly string[],
  signal: AbortSignal,
): Promise<CommandResult> {
  const program = findProgram(name, folders);
  if (program === undefined)
    throw new Error(`there is no ${name} on this machine (looked in ${folders.join(', ')})`);
  const { promise, resolve, reject } = Promise.withResolvers<CommandResult>();
  execFile(program, args, { signal, timeout: LIMIT_MS }, (error, stdout, stderr) => {
    if (error === null) resolve({ code: 0, stdout, stderr });
    else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
    else if (signal.aborted) reject(signal.reason as Error);
    else reject(new Error(error.killed ? `${name} did not end in time` : error.message));
  });
  return await promise;
}

/** Its path in the first of these folders that has it and lets us run it. */
export function findProgram(name: string, folders: readonly string[]): string | undefined {
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

/** Throws what the program said last, if it failed. */
export function mustSucceed(what: string, { code, stderr }: CommandResult): void {
  if (code === 0) return;
  const said = stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(`${what} failed: ${said === '' ? `exit code ${code}` : said}`);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
