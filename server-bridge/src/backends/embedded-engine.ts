/** Runs the embedded engine for a backend: a child process that is started, watched, and started again if it dies. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineEvent, type EngineEvent } from '@hearth/engine-llama/events';
import type { Logger } from 'pino';
import type { Backend } from './backend.ts';

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
/** The engine itself takes two seconds at the most to stop. */
const STOP_MS = 5_000;

export interface EmbeddedEngineOptions {
  log: Logger;
  /** Told of everything that the engine says, for progress bars. */
  onEvent?: ((backend: string, event: EngineEvent) => void) | undefined;
}

export class EmbeddedEngine {
  readonly #backend: Backend;
  readonly #options: EmbeddedEngineOptions;
  readonly #stop = new AbortController();
  #child: ChildProcess | undefined;
  #running: Promise<void> | undefined;

  constructor(backend: Backend, options: EmbeddedEngineOptions) {
    this.#backend = backend;
    this.#options = options;
  }

  /** The engine process's id while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Returns at once; the backend turns `up` when the model has loaded. */
  start(): void {
    this.#running = this.#keepRunning();
  }

  /** Ends the process and waits until it is gone. */
  async close(): Promise<void> {
    this.#stop.abort();
    const child = this.#child;
    // Its own signals are for whoever sits at the terminal; letting go of the leash is what ends it.
    child?.stdin?.end();
    const timer = setTimeout(() => child?.kill('SIGKILL'), STOP_MS);
    await this.#running;
    clearTimeout(timer);
  }

  async #keepRunning(): Promise<void> {
    let delay = FIRST_RETRY_MS;
    while (!this.#stop.signal.aborted) {
      this.#backend.learn({ kind: 'gone', reason: 'the engine is starting' });
      const { wasReady, reason } = await this.#runOnce();
      this.#backend.serverIs(undefined);
      this.#backend.learn({ kind: 'gone', reason });
      if (this.#stop.signal.aborted) return;
      delay = wasReady ? FIRST_RETRY_MS : Math.min(delay * 2, LAST_RETRY_MS);
      this.#options.log.info({ backend: this.#backend.config.id, retry_ms: delay }, 'engine starts again');
      await sleep(delay, undefined, { signal: this.#stop.signal }).catch(ignoreAbort);
    }
  }

  async #runOnce(): Promise<{ wasReady: boolean; reason: string }> {
    const { config } = this.#backend;
    const program = fileURLToPath(import.meta.resolve('@hearth/engine-llama/process'));
    const child = spawn(process.execPath, [program, ...engineArguments(config)], {
      // The open standard input is the leash: the engine ends when the bridge does, however that happens.
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    let wasReady = false;
    let failure: string | undefined;
    let lastWords = '';

    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      lastWords = (lastWords + text).slice(-2_000);
      this.#options.log.debug({ backend: config.id, pid: child.pid }, text.trimEnd());
    });
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const event = parseEvent(line);
      if (event === undefined) return;
      this.#options.onEvent?.(config.id, event);
      if (event.event === 'failed') failure = event.message;
      if (event.event === 'notice') this.#options.log.warn({ backend: config.id }, event.message);
      if (event.event !== 'ready') return;
      wasReady = true;
      this.#backend.serverIs({
        url: event.url,
        model: event.model,
        context: event.context,
        bytesPerToken: event.bytes_per_token,
      });
      this.#backend.learn({ kind: 'ok' });
      this.#options.log.info({ backend: config.id, pid: child.pid, model: event.model }, 'engine ready');
    });

    const [code, signal] = await exited(child);
    this.#child = undefined;
    if (failure === undefined) {
      // A crash inside llama.cpp tells nobody by itself.
      failure = `the engine's process ended (${signal ?? `exit code ${code}`})`;
      this.#options.onEvent?.(config.id, { event: 'failed', message: failure });
    }
    this.#options.log.warn(
      { backend: config.id, reason: failure, stderr: lastWords.trimEnd() },
      'engine ended',
    );
    return { wasReady, reason: withoutFolders(failure) };
  }
}

function engineArguments(config: Backend['config']): string[] {
  return [
    '--json',
    '--exit-with-parent',
    '--context',
    String(config.context),
    '--parallel',
    String(config.max_concurrency),
    ...(config.model === undefined ? [] : ['--model', config.model]),
  ];
}

async function exited(child: ChildProcess): Promise<[number | null, NodeJS.Signals | null]> {
  try {
    return (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  } catch (error) {
    // `error` instead of `close`: it couldn't be started at all.
    return [(error as NodeJS.ErrnoException).errno ?? null, null];
  }
}

function parseEvent(line: string): EngineEvent | undefined {
  try {
    return engineEvent.parse(JSON.parse(line));
  } catch {
    // llama.cpp's own prints can land here too; what isn't an event is not for us.
    return undefined;
  }
}

/** Reasons are shown to anybody who can reach the port, and the server's folders are nobody's business. */
function withoutFolders(text: string): string {
  return text.replace(/(?<![\w:/.])(?:\/[^\s/]+)+\/(?=[^\s/])|\b[A-Za-z]:\\(?:[^\s\\]+\\)*/g, '');
}

function ignoreAbort(error: unknown): void {
  if ((error as Error).name !== 'AbortError') throw error;
}
