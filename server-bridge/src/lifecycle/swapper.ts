/**
 * Runs swaps: the machine in `swap.ts` decides, the port acts. A swap goes on whether anybody watches it or not, each
 * backend is in one swap at a time, and closing ends them all where they stand.
 */
import { HearthError, type SwapProgress, type SwapStatus } from '@hearth/protocol';
import type { Logger } from 'pino';
import {
  beginSwap,
  conflict,
  statusOf,
  stepSwap,
  SWAP_LIMITS,
  type Swap,
  type SwapEffect,
  type SwapEvent,
  type SwapLimits,
  type SwapState,
  type SwapStep,
} from './swap.ts';

/** What a swap does to the bridge. A rejection's message goes to people as the reason. */
export interface SwapPort {
  /** Starts the backend's server by its runner, if it doesn't run. Resolves when started, not when ready. */
  start(backend: string, signal: AbortSignal): Promise<void>;
  stop(backend: string, signal: AbortSignal): Promise<void>;
  /** Resolves when its health check answers; rejects early where it is known that it never will. */
  ready(backend: string, signal: AbortSignal): Promise<void>;
  /** Resolves when it has proved itself, also while it is draining; rejects with the reason. */
  canary(backend: string, signal: AbortSignal): Promise<void>;
  /** From now on the model prefers that backend: new requests go there, and those that wait elsewhere follow. */
  prefer(model: string, backend: string): void;
  /** Takes nothing new; resolves when nothing runs there. The signal ends the waiting, not the drain. */
  drain(backend: string, signal: AbortSignal): Promise<void>;
  /** Undoes a drain, if there is one. */
  resume(backend: string): void;
}

export interface SwapperOptions {
  log: Logger;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** `swaps()` may have become another. */
  onChange: () => void;
  limits?: SwapLimits;
}

export class Swapper {
  readonly #port: SwapPort;
  readonly #options: SwapperOptions;
  readonly #running = new Set<RunningSwap>();

  constructor(port: SwapPort, options: SwapperOptions) {
    this.#port = port;
    this.#options = options;
  }

  /**
   * Begins at once. Gives its progress from the first step on; the last has the step `swap`. Leaving the loop leaves the
   * swap alone. Throws HearthError `busy` if another one has the model or one of the backends.
   */
  swap(swap: Swap): AsyncIterable<SwapProgress> {
    const reason = conflict(
      Array.from(this.#running, (one) => one.swap),
      swap,
    );
    if (reason !== undefined) throw new HearthError('busy', `This has to wait: ${reason}.`);
    const running = new RunningSwap(swap, this.#port, this.#options, () => this.#running.delete(running));
    this.#running.add(running);
    running.begin();
    return running.progress();
  }

  /** Those under way. */
  swaps(): SwapStatus[] {
    return Array.from(this.#running, (one) => one.status());
  }

  /** Ends them all where they stand; what the port is doing is told so by its signal. */
  close(): void {
    for (const one of this.#running) one.abort();
  }
}

class RunningSwap {
  readonly swap: Swap;
  readonly #port: SwapPort;
  readonly #options: SwapperOptions;
  readonly #since = new Date();
  readonly #told: SwapProgress[] = [];
  readonly #onEnd: () => void;
  readonly #first: SwapStep;
  #state: SwapState;
  #waiting = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  /** Resolved at the next progress. */
  #news = Promise.withResolvers<void>();

  constructor(swap: Swap, port: SwapPort, options: SwapperOptions, onEnd: () => void) {
    this.swap = swap;
    this.#port = port;
    this.#options = options;
    this.#onEnd = onEnd;
    this.#first = beginSwap(swap, options.now(), options.limits ?? SWAP_LIMITS);
    this.#state = this.#first.state;
  }

  begin(): void {
    this.#follow(this.#first);
  }

  abort(): void {
    this.#step({ kind: 'abort', at: this.#options.now() });
  }

  status(): SwapStatus {
    return statusOf(this.#state, this.#since);
  }

  async *progress(): AsyncGenerator<SwapProgress> {
    for (let next = 0; ; next++) {
      while (next >= this.#told.length) {
        if (this.#state.outcome !== 'running') return;
        await this.#news.promise;
      }
      yield this.#told[next]!;
    }
  }

  #step(event: SwapEvent): void {
    const step = stepSwap(this.#state, event);
    if (step.state === this.#state) this.#rearm();
    else this.#follow(step);
  }

  #follow({ state, effects, progress }: SwapStep): void {
    this.#state = state;
    // What was waited for is over, or is waited for no more.
    this.#waiting.abort(new Error('the swap has gone on without it'));
    this.#waiting = new AbortController();
    this.#tell(progress);
    for (const effect of effects) this.#do(effect);
    this.#rearm();
    if (state.outcome !== 'running') this.#onEnd();
    this.#options.onChange();
  }

  #do(effect: SwapEffect): void {
    if (effect.kind === 'prefer' || effect.kind === 'resume') return this.#doAtOnce(effect);
    const { kind, backend, number } = effect;
    const { signal } = this.#waiting;
    // Asynchronous in any case: an answer never comes in the middle of a step, and a throw is a rejection.
    void (async () => await this.#port[kind](backend, signal))().then(
      () => this.#step({ kind: 'done', number, at: this.#options.now() }),
      (error: unknown) =>
        this.#step({ kind: 'failed', number, reason: (error as Error).message, at: this.#options.now() }),
    );
  }

  #doAtOnce(effect: Extract<SwapEffect, { kind: 'prefer' | 'resume' }>): void {
    try {
      if (effect.kind === 'prefer') this.#port.prefer(effect.model, effect.backend);
      else this.#port.resume(effect.backend);
    } catch (error) {
      // A reload has taken it out of the configuration: then there is nobody to prefer or to resume.
      this.#options.log.warn({ ...effect, reason: (error as Error).message }, 'swap');
    }
  }

  #tell(progress: SwapProgress[]): void {
    const { model, from, to } = this.swap;
    for (const one of progress) {
      const bad = one.state === 'failed' || one.state === 'warning';
      this.#options.log[bad ? 'warn' : 'info']({ model, from, to, ...one }, 'swap');
      this.#told.push(one);
    }
    const { resolve } = this.#news;
    this.#news = Promise.withResolvers<void>();
    resolve();
  }

  #rearm(): void {
    clearTimeout(this.#timer);
    if (this.#state.outcome !== 'running') return;
    const left = Math.max(0, this.#state.deadline - this.#options.now());
    this.#timer = setTimeout(() => this.#step({ kind: 'timer', at: this.#options.now() }), Math.ceil(left));
  }
}
