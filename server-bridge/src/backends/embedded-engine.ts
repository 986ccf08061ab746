/** Runs the embedded engine for a backend: a child process that is started, watched, and started again if it dies. */
import { fileURLToPath } from 'node:url';
import { engineEvent, type EngineEvent } from '@hearth/engine-llama/events';
import type { Logger } from 'pino';
import { SupervisedProcess, type ProcessEnd } from '../lifecycle/supervised-process.ts';
import type { Backend } from './backend.ts';

/** The engine itself takes two seconds at the most to stop. */
const PATIENCE_MS = 5_000;
const LAST_WORDS = 2_000;

export interface EmbeddedEngineOptions {
  log: Logger;
  /** Told of everything that the engine says, for progress bars. */
  onEvent?: ((backend: string, event: EngineEvent) => void) | undefined;
}

export class EmbeddedEngine {
  readonly #backend: Backend;
  readonly #options: EmbeddedEngineOptions;
  readonly #process: SupervisedProcess;
  #failure: string | undefined;
  #lastWords = '';

  constructor(backend: Backend, options: EmbeddedEngineOptions) {
    this.#backend = backend;
    this.#options = options;
    const program = fileURLToPath(import.meta.resolve('@hearth/engine-llama/process'));
    this.#process = new SupervisedProcess({
      command: [process.execPath, program, ...engineArguments(backend.config)],
      // Its own signals are for whoever sits at the terminal: the open standard input is its leash, and it ends when
      // the bridge does, however that happens.
      ends: 'input',
      patienceMs: PATIENCE_MS,
      onStart: () => this.#starts(),
      onLine: (line, stream) => (stream === 'stdout' ? this.#says(line) : this.#mutters(line)),
      onEnd: (end) => this.#ended(end),
    });
  }

  /** The engine process's id while it runs. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Returns at once; the backend can be reached when the model has loaded. */
  start(): void {
    // What keeps it from starting is told when it ends, and it is tried again.
    this.#process.start().catch(() => {});
  }

  /** Ends the process and waits until it is gone. */
  async close(): Promise<void> {
    await this.#process.close();
  }

  #starts(): void {
    this.#failure = undefined;
    this.#lastWords = '';
    this.#backend.learn({ kind: 'gone', reason: 'the engine is starting' });
  }

  #says(line: string): void {
    const event = parseEvent(line);
    if (event === undefined) return;
    const { log, onEvent } = this.#options;
    const backend = this.#backend.config.id;
    onEvent?.(backend, event);
    if (event.event === 'failed') this.#failure = event.message;
    if (event.event === 'notice') log.warn({ backend }, event.message);
    if (event.event !== 'ready') return;
    this.#process.ready();
    this.#backend.serverIs({
      url: event.url,
      model: event.model,
      context: event.context,
      bytesPerToken: event.bytes_per_token,
    });
    this.#backend.learn({ kind: 'reachable' });
    log.info({ backend, pid: this.pid, model: event.model }, 'engine ready');
  }

  #mutters(line: string): void {
    this.#lastWords = `${this.#lastWords}${line}\n`.slice(-LAST_WORDS);
    this.#options.log.debug({ backend: this.#backend.config.id, pid: this.pid }, line);
  }

  #ended({ reason, retryMs }: ProcessEnd): void {
    const { log, onEvent } = this.#options;
    const backend = this.#backend.config.id;
    const why = this.#failure ?? reason;
    if (retryMs === undefined) log.info({ backend, reason }, 'engine stopped');
    else {
      const stderr = this.#lastWords.trimEnd();
      log.warn({ backend, reason: why, retry_ms: retryMs, stderr }, 'engine ended');
      // A crash inside llama.cpp tells nobody by itself.
      if (this.#failure === undefined) onEvent?.(backend, { event: 'failed', message: reason });
    }
    this.#backend.serverIs(undefined);
    this.#backend.learn({ kind: 'gone', reason: withoutFolders(why) });
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
