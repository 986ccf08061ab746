/**
 * Runs a model server as the bridge's child, with what it starts in one process group, and ends it with the bridge.
 *
 * A bridge that was killed (`kill -9`) leaves the server behind: while it still answers at the backend's url it is
 * used, but it is nobody's child any more, so it can't be stopped from here, and a new one finds the port taken. With
 * nobody to read its output it may also end at the next line it prints, and is then started as usual.
 */
import { SupervisedProcess, type ProcessEnd } from '../supervised-process.ts';
import type { Runner, RunnerOptions, RunnerState } from './runner.ts';

/** Milliseconds for a model server to end by itself. */
const PATIENCE_MS = 10_000;
const LAST_WORDS = 2_000;

export class ProcessRunner implements Runner {
  readonly #command: readonly [string, ...string[]];
  readonly #options: RunnerOptions;
  readonly #patienceMs: number;
  #process: SupervisedProcess | undefined;
  #stopping: Promise<void> | undefined;
  #lastWords = '';

  /** The command is an argument vector, looked up on PATH, and no shell sees it. */
  constructor(command: readonly string[], options: RunnerOptions, patienceMs: number = PATIENCE_MS) {
    const [program = '', ...args] = command;
    this.#command = [program, ...args];
    this.#options = options;
    this.#patienceMs = patienceMs;
  }

  /** The process's id while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#stopping;
    signal.throwIfAborted();
    if (this.#process !== undefined) return;
    let started = false;
    const process = new SupervisedProcess({
      command: this.#command,
      ends: 'group',
      patienceMs: this.#patienceMs,
      onStart: () => {
        this.#lastWords = '';
      },
      onLine: (line) => {
        this.#lastWords = `${this.#lastWords}${line}\n`.slice(-LAST_WORDS);
        this.#options.log.debug({ backend: this.#options.backend, pid: this.pid }, line);
      },
      // What could not be started at all is told by the rejection.
      onEnd: (end) => started && this.#ended(end),
    });
    this.#process = process;
    try {
      await process.start();
      started = true;
    } catch (error) {
      // What can't be started now is not tried behind anybody's back.
      this.#process = undefined;
      await process.close();
      throw error;
    }
  }

  async stop(signal: AbortSignal): Promise<void> {
    const aborted = Promise.withResolvers<never>();
    const leave = () => aborted.reject(signal.reason as Error);
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    await Promise.race([this.close(), aborted.promise]).finally(() =>
      signal.removeEventListener('abort', leave),
    );
  }

  async running(): Promise<RunnerState> {
    return this.pid === undefined ? 'no' : 'yes';
  }

  answered(): void {
    this.#process?.ready();
  }

  async close(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    if (process !== undefined)
      this.#stopping = process.close().finally(() => {
        this.#stopping = undefined;
      });
    await this.#stopping;
  }

  #ended({ reason, retryMs }: ProcessEnd): void {
    const { backend, log, onExit } = this.#options;
    const lastWords = this.#lastWords.trimEnd();
    if (retryMs === undefined) {
      log.info({ backend, reason }, 'model server stopped');
      return;
    }
    log.warn({ backend, reason, retry_ms: retryMs, output: lastWords }, 'model server ended');
    onExit({ reason, lastWords, retryMs });
  }
}
