/** Runs one of the project's commands as its users do: as a process, by its entry file. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ENTRY = {
  'hearth-bridge': '../../server-bridge/src/main.js',
  'hearth-agent': '../../client-agent/src/main.ts',
  'hearth-engine-llama': '../../server-bridge/engine-llama/src/main.ts',
} as const;

export type Command = keyof typeof ENTRY;

/** The argument vector that starts a command, for those who spawn it in another namespace. */
export function argvOf(command: Command, ...args: string[]): [string, ...string[]] {
  return [process.execPath, fileURLToPath(new URL(ENTRY[command], import.meta.url)), ...args];
}

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export class RunningCommand implements AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  readonly finished: Promise<Finished>;
  stdout = '';
  stderr = '';

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.finished = once(child, 'close').then(([code]) => ({
      code: code as number | null,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  /** Waits until its standard output or error matches; fails with both if it ends before. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (match !== null) return match;
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`it ended before it printed ${pattern}\n${this.stdout}\n${this.stderr}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.finished;
  }
}

/** Starts a command; dispose ends it. */
export function start(
  command: Command,
  args: string[],
  environment: NodeJS.ProcessEnv = {},
  options: { detached?: boolean } = {},
): RunningCommand {
  const [program, ...rest] = argvOf(command, ...args);
  return new RunningCommand(spawn(program, rest, { ...options, env: { ...process.env, ...environment } }));
}

/** Runs a command to its end. */
export async function run(
  command: Command,
  args: string[],
  environment?: NodeJS.ProcessEnv,
): Promise<Finished> {
  return await start(command, args, environment).finished;
}
