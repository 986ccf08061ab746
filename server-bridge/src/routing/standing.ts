/** What routing knows of one backend at a moment: what is configured, what was learnt, and what runs there. Pure. */
import type { BackendConfig, BackendState } from '@hearth/protocol';
import { stateOf, UNKNOWN, type Health } from './health.ts';

/** What an engine says of its work; undefined where it doesn't. */
export interface Load {
  readonly running: number | undefined;
  /** Requests in the engine's own queue. */
  readonly waiting: number | undefined;
  /** Share of its KV cache in use, 0 to 1. */
  readonly kvUse: number | undefined;
}

/** How hot its GPU is: `hot` sheds load to the fallback, `critical` takes nothing. */
export interface Heat {
  level: 'ok' | 'hot' | 'critical';
  /** In words, for the reason. */
  words: string;
}

export class Standing {
  readonly config: BackendConfig;
  health: Health = UNKNOWN;
  /** Why it takes nothing new although it is well; null while it does. */
  cordoned: string | null = null;
  load: Load = { running: undefined, waiting: undefined, kvUse: undefined };
  heat: Heat = { level: 'ok', words: '' };
  /** What is wrong with its answers to fill-in-the-middle alone; null while nothing is. */
  fimFault: string | null = null;
  /** Tokens in one request, prompt and answer together. */
  context: number;
  /** UTF-8 bytes that a token stands for, rather too few than too many. */
  bytesPerToken: number;
  /** Our requests that hold a place there. */
  inFlight = 0;
  /** Milliseconds that a request holds its place, on average. */
  serviceMs: number | undefined;

  constructor(config: BackendConfig, bytesPerToken: number) {
    this.config = config;
    this.context = config.context;
    this.bytesPerToken = bytesPerToken;
  }

  get id(): string {
    return this.config.id;
  }

  get full(): boolean {
    return this.inFlight >= this.config.max_concurrency;
  }

  get state(): BackendState {
    const state = stateOf(this.health);
    return this.cordoned !== null && (state === 'up' || state === 'suspect') ? 'draining' : state;
  }

  /** Why it is in that state; null while it is simply up. */
  get reason(): string | null {
    return this.state === 'draining' ? this.cordoned : this.health.reason;
  }
}
