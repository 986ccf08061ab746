/** A backend as the bridge runs it: its configuration, where it stands, and the way to ask it. */
import type { BackendConfig, BackendStatus } from '@hearth/protocol';
import type { HealthEvent } from '../routing/health.ts';
import type { Pulse } from '../routing/pulse.ts';
import { Standing } from '../routing/standing.ts';
import { TokenRate } from '../models/token-budget.ts';
import { Figures } from './figures.ts';
import { Upstream, type Running } from './upstream.ts';

/** Where a backend's model server is. For an embedded engine that changes with every start of its process. */
export interface Server {
  url: string;
  /** The name to send as `model`. */
  model: string;
  /** Tokens in one request, prompt and answer together. */
  context: number;
  /** UTF-8 bytes that a token stands for, where the engine has measured it. */
  bytesPerToken?: number;
}

/** Whom a backend tells of itself. */
export interface BackendListener {
  learnt: (backend: Backend, event: HealthEvent) => void;
  /** Its model server is another, or has gone. */
  server: (backend: Backend) => void;
}

export class Backend {
  readonly config: BackendConfig;
  readonly standing: Standing;
  readonly upstream: Upstream;
  readonly figures = new Figures();
  readonly #running = new Set<Running>();
  readonly #listener: BackendListener;
  #tokenRate = new TokenRate();
  #server: Server | undefined;
  /** When a token last came, or work began; when the engine's own count last grew. Milliseconds, monotonic. */
  #movedAt = 0;
  #progress: { count: number; at: number; lookedAt: number } | undefined;

  constructor(config: BackendConfig, listener: BackendListener) {
    this.config = config;
    this.#listener = listener;
    this.standing = new Standing(config, this.#tokenRate.bytesPerToken);
    this.upstream = new Upstream(config.timeouts);
    if (config.url !== undefined)
      this.#server = {
        url: config.url.replace(/\/+$/, ''),
        model: config.model ?? '',
        context: config.context,
      };
  }

  /** Undefined while an embedded engine is not running. */
  get server(): Server | undefined {
    return this.#server;
  }

  /** The embedded engine has started (again), or has gone. */
  serverIs(server: Server | undefined): void {
    this.#server = server;
    if (server !== undefined) {
      this.standing.context = server.context;
      this.#tokenRate = new TokenRate(server.bytesPerToken);
      this.standing.bytesPerToken = this.#tokenRate.bytesPerToken;
    }
    this.#progress = undefined;
    this.#listener.server(this);
  }

  /** Something was learnt of its health. */
  learn(event: HealthEvent): void {
    this.#listener.learnt(this, event);
  }

  /** A request has been sent. */
  begun(running: Running, now: number): void {
    if (this.#running.size === 0) this.#movedAt = now;
    this.#running.add(running);
  }

  over(running: Running): void {
    this.#running.delete(running);
  }

  /** So many tokens came. */
  moved(tokens: number, now: number): void {
    this.#movedAt = now;
    this.figures.tokens(tokens, now);
  }

  /** Its tokenizer has counted: so many bytes a token to begin with, until replies tell more. */
  measured(bytesPerToken: number): void {
    this.#tokenRate = new TokenRate(bytesPerToken);
    this.standing.bytesPerToken = this.#tokenRate.bytesPerToken;
  }

  /** The backend counted that many tokens in a prompt of so many bytes. */
  used(promptBytes: number, promptTokens: number): void {
    this.#tokenRate.learn(promptBytes, promptTokens);
    this.standing.bytesPerToken = this.#tokenRate.bytesPerToken;
  }

  /** The engine's own count of its work, where it says. True if it has moved on since the last time. */
  counted(count: number | undefined, now: number): boolean {
    const before = this.#progress?.count;
    if (count === undefined) this.#progress = undefined;
    else if (this.#progress === undefined || count !== before)
      this.#progress = { count, at: now, lookedAt: now };
    else this.#progress.lookedAt = now;
    return before !== undefined && count !== undefined && count !== before;
  }

  /** Whether it has work, of ours or of anybody's. */
  get busy(): boolean {
    return this.#running.size + (this.standing.load.running ?? 0) > 0;
  }

  /** Without the requests that stand still since nobody reads them: they prove nothing. */
  pulse(): Pulse {
    let decoding = 0;
    let paused = 0;
    for (const running of this.#running) {
      if (running.decoding) decoding++;
      if (running.paused) paused++;
    }
    const { running } = this.standing.load;
    return {
      inFlight: this.#running.size - paused,
      decoding,
      movedAt: this.#movedAt,
      running: running && Math.max(running - paused, 0),
      engineStillMs: this.#progress && this.#progress.lookedAt - this.#progress.at,
    };
  }

  status(queued: number, now: number): BackendStatus {
    const { state, reason, health, load, inFlight } = this.standing;
    return {
      id: this.config.id,
      engine: this.config.engine,
      model: this.#server?.model ?? this.config.model ?? null,
      gpu: this.config.gpu ?? null,
      state,
      reason,
      in_flight: inFlight,
      queued,
      max_concurrency: this.config.max_concurrency,
      kv_use: load.kvUse ?? null,
      tokens_per_s: Math.round(this.figures.tokensPerSecond(now) * 10) / 10,
      first_token_ms: this.figures.firstTokenMs(),
      last_error: health.lastError,
    };
  }

  async close(): Promise<void> {
    await this.upstream.close();
  }
}
