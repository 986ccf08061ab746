/** Exchanges the profile's API key for the bridge's short-lived token, and keeps that until shortly before its end. */
import { HearthError, tokenReply } from '@hearth/protocol';
import type { AgentProfile, AgentToken } from '@hearth/protocol';
import type { Dispatcher } from 'undici';
import type { Clock } from './tunnel/ports.ts';

/** Milliseconds before its end from which a token is not given out again. */
const MARGIN_MS = 60_000;
const ANSWER_MS = 5_000;

/** When a token came, by both clocks, and for how long (milliseconds) it was good then. */
interface Receipt {
  at: number;
  wall: number;
  life: number;
}

export class TokenSource {
  readonly #dispatcher: Dispatcher;
  readonly #clock: Clock;
  #kept: { profile: AgentProfile; token: AgentToken; receipt: Receipt } | undefined;
  /** The exchange under way: those who ask meanwhile share it. */
  #exchange: { profile: AgentProfile; token: Promise<AgentToken> } | undefined;

  constructor(dispatcher: Dispatcher, clock: Clock) {
    this.#dispatcher = dispatcher;
    this.#clock = clock;
  }

  /**
   * `fresh`: not the kept one. Throws `invalid_api_key` when the bridge refuses the key, `backend_timeout` or
   * `backend_lost` when it fails.
   */
  async get(profile: AgentProfile, fresh = false): Promise<AgentToken> {
    const kept = this.#kept;
    if (!fresh && kept?.profile === profile && this.#age(kept.receipt) < kept.receipt.life - MARGIN_MS)
      return kept.token;
    if (this.#exchange?.profile !== profile) this.#exchange = { profile, token: this.#once(profile) };
    return this.#exchange.token;
  }

  /** The monotonic clock can't be set back but may stand still while the PC sleeps; the wall clock goes on then. */
  #age({ at, wall }: Receipt): number {
    return Math.max(this.#clock.now() - at, this.#clock.wall() - wall);
  }

  async #once(profile: AgentProfile): Promise<AgentToken> {
    try {
      return await this.#ask(profile);
    } finally {
      if (this.#exchange?.profile === profile) this.#exchange = undefined;
    }
  }

  async #ask(profile: AgentProfile): Promise<AgentToken> {
    const { origin } = new URL(profile.bridge_url);
    const { statusCode, sentAt, body } = await this.#post(origin, profile);
    if (statusCode === 401 || statusCode === 403)
      throw new HearthError(
        'invalid_api_key',
        'The bridge refuses the key of this device; ask for a new profile.',
      );
    const reply = tokenReply.safeParse(body);
    if (statusCode !== 200 || !reply.success)
      throw new HearthError('backend_lost', `The bridge gave no token (HTTP ${statusCode}).`);
    const token = { ...reply.data, bridge_url: profile.bridge_url };
    const wall = this.#clock.wall();
    const life = Date.parse(token.expires_at) - (sentAt ?? wall);
    this.#kept = { profile, token, receipt: { at: this.#clock.now(), wall, life } };
    return token;
  }

  async #post(origin: string, profile: AgentProfile): Promise<Answer> {
    try {
      const reply = await this.#dispatcher.request({
        origin,
        path: '/hearth/v1/token',
        method: 'POST',
        headers: { authorization: `Bearer ${profile.api_key.reveal()}` },
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const text = await reply.body.text();
      return { statusCode: reply.statusCode, sentAt: dateOf(reply.headers.date), body: parseJson(text) };
    } catch (error) {
      const late = error instanceof Error && error.name === 'TimeoutError';
      throw new HearthError(
        late ? 'backend_timeout' : 'backend_lost',
        `The bridge did not answer${late ? ' in time' : ''} when asked for a token.`,
      );
    }
  }
}

interface Answer {
  statusCode: number;
  /** By the clock of the bridge, which also set the token's end; this PC's may be minutes off. */
  sentAt: number | undefined;
  body: unknown;
}

function dateOf(header: string | string[] | undefined): number | undefined {
  const date = typeof header === 'string' ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? undefined : date;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON is one of the answers that hold no token.
    return undefined;
  }
}
