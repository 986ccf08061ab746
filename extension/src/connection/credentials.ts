/** What the bridge is called with on each route: the agent's short-lived token, kept until near its end, or the user's key. */
import { Secret } from '@hearth/protocol';
import type { ErrorCode } from '@hearth/protocol';
import type { AgentClient } from './agent-client.ts';
import type { Access } from './bridge-client.ts';
import type { Fault } from './fault.ts';
import type { Route } from './standing.ts';

/** `unauthorised`: the bridge refuses this device's key, which the agent holds. */
type AccessReply =
  { kind: 'ok'; access: Access } | { kind: 'cancelled' } | ({ kind: 'unauthorised' | 'unreachable' } & Fault);

/** Milliseconds. `now` can't be set back, but may stand still while the computer sleeps; `wall` goes on then. */
export type Clock = { now: () => number; wall: () => number };

/** A token is fetched anew when less than this is left of it. */
const NEAR_EXPIRY_MS = 30_000;

export class Credentials {
  readonly #agent: AgentClient | undefined;
  readonly #keyFor: (url: string) => Promise<Secret | undefined>;
  readonly #clock: Clock;
  /** `life`: milliseconds it was good for when it came, at `now` and `wall`. */
  #token: { access: Access; life: number; now: number; wall: number } | undefined;

  /** `keyFor`: the user's key for a bridge, if they set one. */
  constructor(
    agent: AgentClient | undefined,
    keyFor: (url: string) => Promise<Secret | undefined>,
    clock: Clock,
  ) {
    this.#agent = agent;
    this.#keyFor = keyFor;
    this.#clock = clock;
  }

  /** Drops the token, so that the next call fetches another. */
  forget(): void {
    this.#token = undefined;
  }

  /** `fresh`: neither the token kept here nor the one the agent keeps, since the bridge refused it. */
  async access(route: Route, signal: AbortSignal, fresh = false): Promise<AccessReply> {
    if (route.kind === 'direct')
      return { kind: 'ok', access: { url: route.url, secret: await this.#keyFor(route.url) } };
    if (route.kind !== 'agent' || this.#agent === undefined)
      return { kind: 'unreachable', code: 'nowhere', message: 'there is no bridge to call' };
    if (!fresh && this.#token !== undefined && this.#left(this.#token) > NEAR_EXPIRY_MS)
      return { kind: 'ok', access: this.#token.access };
    const reply = await this.#agent.token(signal, fresh);
    if (reply.kind === 'cancelled') return reply;
    if (reply.kind === 'absent')
      return { kind: 'unreachable', code: 'agent_absent', message: 'the agent is not running' };
    if (reply.kind === 'failed') {
      const kind = reply.code === ('invalid_api_key' satisfies ErrorCode) ? 'unauthorised' : 'unreachable';
      return { ...reply, kind };
    }
    const { token, expires_at: expires, bridge_url: url } = reply.value;
    const [now, wall] = [this.#clock.now(), this.#clock.wall()];
    this.#token = { access: { url, secret: new Secret(token) }, life: Date.parse(expires) - wall, now, wall };
    return { kind: 'ok', access: this.#token.access };
  }

  #left({ life, now, wall }: { life: number; now: number; wall: number }): number {
    return life - Math.max(this.#clock.now() - now, this.#clock.wall() - wall);
  }
}
