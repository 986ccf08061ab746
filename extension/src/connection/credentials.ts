/** What the bridge is called with on each route: the agent's short-lived token, kept until near its end, or the user's key. */
import { Secret } from '@hearth/protocol';
import type { ErrorCode } from '@hearth/protocol';
import type { AgentClient } from './agent-client.ts';
import type { Access } from './bridge-client.ts';
import type { Route } from './standing.ts';

/** `unauthorised`: the bridge refuses this device's key, which the agent holds. */
type AccessReply =
  | { kind: 'ok'; access: Access }
  | { kind: 'cancelled' }
  | { kind: 'unauthorised'; message: string }
  | { kind: 'unreachable'; message: string };

/** A token is fetched anew when less than this is left of it. */
const NEAR_EXPIRY_MS = 30_000;

export class Credentials {
  readonly #agent: AgentClient | undefined;
  readonly #keyFor: (url: string) => Promise<Secret | undefined>;
  readonly #now: () => number;
  #token: { access: Access; expiresAt: number } | undefined;

  /** `keyFor`: the user's key for a bridge, if they set one. `now`: milliseconds of the wall clock. */
  constructor(
    agent: AgentClient | undefined,
    keyFor: (url: string) => Promise<Secret | undefined>,
    now: () => number,
  ) {
    this.#agent = agent;
    this.#keyFor = keyFor;
    this.#now = now;
  }

  /** Drops the token, so that the next call fetches another. */
  forget(): void {
    this.#token = undefined;
  }

  async access(route: Route, signal: AbortSignal): Promise<AccessReply> {
    if (route.kind === 'direct')
      return { kind: 'ok', access: { url: route.url, secret: await this.#keyFor(route.url) } };
    if (route.kind !== 'agent' || this.#agent === undefined)
      return { kind: 'unreachable', message: 'there is no bridge to call' };
    if (this.#token !== undefined && this.#token.expiresAt - this.#now() > NEAR_EXPIRY_MS)
      return { kind: 'ok', access: this.#token.access };
    const reply = await this.#agent.token(signal);
    if (reply.kind === 'cancelled') return reply;
    if (reply.kind === 'absent') return { kind: 'unreachable', message: 'the agent is not running' };
    if (reply.kind === 'failed') {
      const kind = reply.code === ('invalid_api_key' satisfies ErrorCode) ? 'unauthorised' : 'unreachable';
      return { kind, message: reply.message };
    }
    const { token, expires_at: expires, bridge_url: url } = reply.value;
    this.#token = { access: { url, secret: new Secret(token) }, expiresAt: Date.parse(expires) };
    return { kind: 'ok', access: this.#token.access };
  }
}
