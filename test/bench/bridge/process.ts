/** A process that the benchmark has started: its output in a file, its end by its own pid. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, closeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { withDescendants } from './proc.ts';

const STOP_MS = 3_000;
const START_MS = 20_000;

/** However the benchmark ends, nothing that it started stays. SIGTERM, so that nginx takes its workers along. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

export class BenchProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #log: string;

  /** Standard output and error go to the file `log`, as a service manager would take them. */
  constructor(argv: readonly [string, ...string[]], log: string, env: NodeJS.ProcessEnv = process.env) {
    const file = openSync(log, 'w');
    const [program, ...rest] = argv;
    this.child = spawn(program, rest, { stdio: ['ignore', file, file], env });
    running.add(this.child);
    // That it couldn't be started shows when it is waited for.
    this.child.on('error', () => undefined).on('exit', () => running.delete(this.child));
    closeSync(file);
    this.#log = log;
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`it did not start: ${this.child.spawnfile}`);
    return this.child.pid;
  }

  /** With its children, as they are now. */
  get pids(): number[] {
    return withDescendants(this.pid);
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Waits until its output matches; fails with the output if it ends before. */
  async prints(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#until(
      () => pattern.exec(readFileSync(this.#log, 'utf8')) ?? undefined,
      `${pattern} in its output`,
    );
  }

  /** Waits until its port answers a request at all. */
  async answersOn(port: number): Promise<void> {
    await this.#until(
      async () =>
        await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(500) }).then(
          async (reply) => {
            await reply.body?.cancel();
            return true;
          },
          () => undefined,
        ),
      `an answer on port ${port}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.ended || this.child.pid === undefined) return;
    const closed = once(this.child, 'close');
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await closed;
    clearTimeout(timer);
  }

  async #until<T>(look: () => T | undefined | Promise<T | undefined>, what: string): Promise<T> {
    for (let waited = 0; waited < START_MS; waited += 20) {
      const found = await look();
      if (found !== undefined) return found;
      if (this.ended || this.child.pid === undefined) break;
      await sleep(20);
    }
    throw new Error(
      `waited in vain for ${what}; it printed: ${readFileSync(this.#log, 'utf8').slice(-2_000)}`,
    );
  }
}
