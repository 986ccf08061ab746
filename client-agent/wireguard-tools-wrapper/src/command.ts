/** Runs one program to its end: argument array, fixed environment, a deadline, secret text only on its stdin. */
import type { spawn } from 'node:child_process';
import { failureOf, WireguardError } from './errors.ts';
import type { Program } from './programs.ts';
import { secretInput } from './secret-input.ts';

export interface CommandPorts {
  /** Node's `spawn`, passed in so that a test can see every argument. */
  spawn: typeof spawn;
  findProgram: (program: Program) => string;
}

/**
 * Nothing of the caller's environment goes along. The C locale, because failures are told apart by their words;
 * and one try at a name, because `wg` would otherwise retry for minutes.
 */
export const COMMAND_ENV = {
  LC_ALL: 'C',
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  WG_ENDPOINT_RESOLUTION_RETRIES: '0',
};

/** Milliseconds. They all answer in a few; a name look-up in `wg` may take longer. */
const DEADLINE_MS = 10_000;

export interface CommandOptions {
  signal?: AbortSignal | undefined;
  /** Given to the program as its stdin. */
  secret?: string;
}

/** Resolves with stdout. Throws a WireguardError, or the signal's reason when that is aborted. */
export async function runCommand(
  ports: CommandPorts,
  program: Program,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const { signal } = options;
  signal?.throwIfAborted();
  const path = ports.findProgram(program);
  using input = options.secret === undefined ? undefined : secretInput(options.secret);
  const child = ports.spawn(path, args, {
    stdio: [input?.fd ?? 'ignore', 'pipe', 'pipe'],
    env: COMMAND_ENV,
    shell: false,
  });

  const output = { stdout: '', stderr: '' };
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));

  const stop = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', stop, { once: true });
  let late = false;
  const deadline = setTimeout(() => {
    late = true;
    stop();
  }, DEADLINE_MS);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    signal?.throwIfAborted();
    if (late)
      throw new WireguardError('timeout', `${program} did not finish in ${DEADLINE_MS / 1_000} s.`, program);
    if (status !== 0) throw failureOf(program, output.stderr);
    return output.stdout;
  } finally {
    clearTimeout(deadline);
    signal?.removeEventListener('abort', stop);
  }
}
