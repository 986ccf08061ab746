/** Gets one request answered: the candidates in order, each in its turn, until one says its first token. */
import { performance } from 'node:perf_hooks';
import { HearthError, type Role } from '@hearth/protocol';
import type { Logger } from 'pino';
import type { Backend, Server } from './backends/backend.ts';
import type { Chunk } from './backends/chunks.ts';
import type { Fleet } from './backends/fleet.ts';
import type { Opened, StreamEnd } from './backends/upstream.ts';
import { route, type PassedOver } from './routing/candidates.ts';

export interface Ask {
  model: string | undefined;
  role: Role;
  path: '/v1/completions' | '/v1/chat/completions';
  /** It fills in the middle, so the backend must have a format for that. */
  fim: boolean;
  /** The body for a backend, made only when that backend has been chosen. */
  body: (backend: Backend, server: Server) => Record<string, unknown>;
  /** The client's: aborted when it goes away. */
  signal: AbortSignal;
}

/** Who answered, and what that took. */
export interface Answered {
  model: string;
  backend: string;
  gpu: string | undefined;
  fallback: boolean;
  attempts: number;
  /** Milliseconds spent waiting for a free place. */
  queueMs: number;
}

export type Answer =
  | { kind: 'stream'; by: Answered; chunks: AsyncGenerator<Chunk, StreamEnd> }
  | { kind: 'refused'; by: Answered; status: number; body: string }
  | { kind: 'cancelled' };

/** Seconds after which an unreachable backend may have been found alive again. */
const RETRY_AFTER_S = 2;

export class Gateway {
  readonly #fleet: Fleet;
  readonly #queueLimit: number;
  readonly #log: Logger;
  #active = 0;
  #draining = false;
  #idle: (() => void) | undefined;

  constructor(fleet: Fleet, queueLimit: number, log: Logger) {
    this.#fleet = fleet;
    this.#queueLimit = queueLimit;
    this.#log = log;
  }

  /**
   * Before the first token every failure of a backend leads to the next one, unseen by the client. Throws HearthError
   * when nobody can answer; the stream that it gives ends honestly if it is lost later.
   */
  async answer(ask: Ask): Promise<Answer> {
    const chosen = route(this.#fleet.table, ask, (id) => this.#backend(id).health);
    if (chosen.kind === 'unknown_model')
      throw new HearthError(
        'model_not_found',
        `There is no model "${chosen.asked}" here. Known: ${chosen.known.join(', ')}.`,
        { param: 'model' },
      );

    const passedOver = [...chosen.passedOver];
    let attempts = 0;
    let queueMs = 0;
    // Looked up once: a reload meanwhile may take a backend out of the fleet, but not out of this request.
    const candidates = chosen.candidates.map(({ backend, fallback }) => ({
      backend: this.#backend(backend.id),
      fallback,
    }));
    for (const { backend, fallback } of candidates) {
      const since = performance.now();
      const release = await this.#place(backend, ask.signal);
      if (release === undefined) return { kind: 'cancelled' };
      queueMs += performance.now() - since;
      const { state, reason } = backend.health;
      if (state === 'down' || state === 'stopped') {
        // It was lost while this request waited for a place there.
        release();
        passedOver.push({ backend: backend.config.id, reason: `${state}: ${reason}` });
        continue;
      }
      attempts++;

      const opened = await this.#ask(backend, ask).catch((error: unknown) => {
        release();
        throw error;
      });
      const by: Answered = {
        model: chosen.model,
        backend: backend.config.id,
        gpu: backend.config.gpu,
        fallback,
        attempts,
        queueMs: Math.round(queueMs),
      };
      if (opened.kind === 'stream') {
        // A client that leaves before its first read never starts the generator, whose `finally` then never runs.
        ask.signal.addEventListener('abort', release, { once: true });
        if (ask.signal.aborted) release();
        return { kind: 'stream', by, chunks: this.#relay(backend, opened.chunks, release) };
      }
      release();
      if (opened.kind === 'cancelled') return opened;
      if (opened.kind === 'refused') return { ...opened, by };
      passedOver.push({ backend: backend.config.id, reason: opened.message });
    }
    throw noBackend(chosen.model, passedOver);
  }

  /** Counts a request as running until the returned function is called. Throws `draining` once nothing new is taken. */
  enter(): () => void {
    if (this.#draining)
      throw new HearthError('draining', 'The bridge is shutting down; ask again in a moment.', {
        retryAfterS: RETRY_AFTER_S,
      });
    this.#active++;
    return () => {
      this.#active--;
      if (this.#active === 0) this.#idle?.();
    };
  }

  /** Takes nothing new and resolves when everything running has ended. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#active === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  #backend(id: string): Backend {
    const backend = this.#fleet.get(id);
    if (backend === undefined) throw new Error(`backend ${id} is in the table but was not built`);
    return backend;
  }

  /** A place at the backend; undefined when the client left while waiting for one. */
  async #place(backend: Backend, signal: AbortSignal): Promise<(() => void) | undefined> {
    const queued = this.#fleet.backends.reduce((sum, one) => sum + one.slots.queued, 0);
    if (backend.slots.full && this.#queueLimit > 0 && queued >= this.#queueLimit)
      throw new HearthError('queue_full', `${queued} requests are waiting already.`, {
        retryAfterS: RETRY_AFTER_S,
      });
    try {
      return await backend.slots.take(signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  async #ask(backend: Backend, ask: Ask): Promise<Opened> {
    const { server } = backend;
    if (server === undefined) return { kind: 'failed', cause: 'gone', message: 'its engine is not running' };
    const opened = await backend.upstream.open({
      url: server.url + ask.path,
      body: { ...ask.body(backend, server), model: server.model, stream: true },
      signal: ask.signal,
    });
    if (opened.kind === 'failed') this.#failed(backend, opened.cause === 'gone', opened.message);
    else if (opened.kind === 'stream') backend.learn({ kind: 'ok' });
    return opened;
  }

  async *#relay(
    backend: Backend,
    chunks: AsyncGenerator<Chunk, StreamEnd>,
    release: () => void,
  ): AsyncGenerator<Chunk, StreamEnd> {
    try {
      const end = yield* chunks;
      if (end.kind === 'lost') this.#failed(backend, end.cause === 'gone', end.message);
      return end;
    } finally {
      release();
    }
  }

  #failed(backend: Backend, gone: boolean, reason: string): void {
    backend.learn({ kind: gone ? 'gone' : 'failed', reason });
    this.#log.warn({ backend: backend.config.id, reason, state: backend.health.state }, 'backend failed');
  }
}

function noBackend(model: string, passedOver: PassedOver[]): HearthError {
  const reasons = passedOver.map(({ backend, reason }) => `${backend} (${reason})`).join('; ');
  return new HearthError('no_backend', `No backend can answer for "${model}": ${reasons}.`, {
    retryAfterS: RETRY_AFTER_S,
  });
}
