/** A backend as the bridge runs it: its configuration, its health, its places, and the way to ask it. */
import type { BackendConfig, BackendStatus } from '@hearth/protocol';
import { nextHealth, UNKNOWN, type Health, type HealthEvent } from '../routing/health.ts';
import { Slots } from '../routing/slots.ts';
import { Upstream } from './upstream.ts';

/** Where a backend's model server is. For an embedded engine that changes with every start of its process. */
export interface Server {
  url: string;
  /** The name to send as `model`. */
  model: string;
  /** Tokens in one request, prompt and answer together. */
  context: number;
  /** UTF-8 bytes that a token stands for, to judge what fits into the context without its tokenizer. */
  bytesPerToken: number;
}

/** Code averages 3–4 bytes a token in the coder models' vocabularies; 3 leaves room for dense lines. */
const BYTES_PER_TOKEN = 3;

export class Backend {
  readonly config: BackendConfig;
  readonly slots: Slots;
  readonly upstream: Upstream;
  readonly #onChange: () => void;
  #health: Health = UNKNOWN;
  #server: Server | undefined;

  /** `onChange` is called whenever its status document may have become another. */
  constructor(config: BackendConfig, onChange: () => void) {
    this.config = config;
    this.#onChange = onChange;
    this.slots = new Slots(config.max_concurrency, onChange);
    this.upstream = new Upstream(config.timeouts);
    if (config.url !== undefined)
      this.#server = {
        url: config.url.replace(/\/+$/, ''),
        model: config.model ?? '',
        context: config.context,
        bytesPerToken: BYTES_PER_TOKEN,
      };
  }

  get health(): Health {
    return this.#health;
  }

  /** Undefined while an embedded engine is not running. */
  get server(): Server | undefined {
    return this.#server;
  }

  /** The embedded engine has started (again), or has gone. */
  serverIs(server: Server | undefined): void {
    this.#server = server;
    this.#onChange();
  }

  learn(event: HealthEvent): void {
    this.#health = nextHealth(this.#health, event);
    this.#onChange();
  }

  status(): BackendStatus {
    return {
      id: this.config.id,
      engine: this.config.engine,
      model: this.#server?.model ?? this.config.model ?? null,
      gpu: this.config.gpu ?? null,
      state: this.#health.state,
      reason: this.#health.reason,
      in_flight: this.slots.inFlight,
      queued: this.slots.queued,
      last_error: this.#health.lastError,
    };
  }

  async close(): Promise<void> {
    await this.upstream.close();
  }
}
