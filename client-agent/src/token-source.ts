/** Exchanges the profile's API key for the bridge's short-lived token, and keeps that until shortly before its end. */
import { HearthError, tokenReply } from '@hearth/protocol';
import type { AgentProfile, AgentToken } from '@hearth/protocol';
import type { Dispatcher } from 'undici';
import type { Clock } from './tunnel/ports.ts';

/** Milliseconds before its end from which a token is not given out again. */
const MARGIN_MS = 60_000;
const ANSWER_MS = 5_000;

export class TokenSource {
  readonly #dispatcher: Dispatcher;
  readonly #clock: Clock;
  #kept: { profile: AgentProfile; token: AgentToken } | undefined;
  /** The exchange under way: those who ask meanwhile share it. */
  #exchange: { profile: AgentProfile; token: Promise<AgentToken> } | undefined;

  constructor(dispatcher: Dispatcher, clock: Clock) {
    this.#dispatcher = dispatcher;
    this.#clock = clock;
  }

  /** Throws `invalid_api_key` when the bridge refuses the key, `backend_timeout` or `backend_lost` when it fails. */
  async get(profile: AgentProfile): Promise<AgentToken> {
    const kept = this.#kept;
    if (kept?.profile === profile && Date.parse(kept.token.expires_at) - MARGIN_MS > this.#clock.wall())
      return kept.token;
    if (this.#exchange?.profile !== profile) this.#exchange = { profile, token: this.#once(profile) };
    return this.#exchange.token;
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
    const { statusCode, body } = await this.#post(origin, profile);
    if (statusCode === 401 || statusCode === 403)
      throw new HearthError(
        'invalid_api_key',
        'The bridge refuses the key of this device; ask for a new profile.',
      );
    const reply = tokenReply.safeParse(body);
    if (statusCode !== 200 || !reply.success)
      throw new HearthError('backend_lost', `The bridge gave no token (HTTP ${statusCode}).`);
    const token = { ...reply.data, bridge_url: profile.bridge_url };
    this.#kept = { profile, token };
    return token;
  }

  async #post(origin: string, profile: AgentProfile): Promise<{ statusCode: number; body: unknown }> {
    try {
      const reply = await this.#dispatcher.request({
        origin,
        path: '/hearth/v1/token',
        method: 'POST',
        headers: { authorization: `Bearer ${profile.api_key.reveal()}` },
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const text = await reply.body.text();
      return { statusCode: reply.statusCode, body: parseJson(text) };
    } catch (error) {
      const late = error instanceof Error && error.name === 'TimeoutError';
      throw new HearthError(
        late ? 'backend_timeout' : 'backend_lost',
        `The bridge did not answer${late ? ' in time' : ''} when asked for a token.`,
      );
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON is one of the answers that hold no token.
    return undefined;
  }
}
