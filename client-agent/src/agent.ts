/** The agent itself: profile, tunnel and token as one thing that can be asked, told, and listened to. */
import { HearthError } from '@hearth/protocol';
import type { AgentProfile, AgentStatus, AgentToken } from '@hearth/protocol';
import type { Logger } from 'pino';
import type { ProfileResult } from './profile.ts';
import type { TokenSource } from './token-source.ts';
import type { Clock, Tunnel } from './tunnel/ports.ts';
import type { TunnelSession } from './tunnel/session.ts';

export interface AgentPorts {
  readProfile: () => Promise<ProfileResult>;
  openTunnel: (profile: AgentProfile) => Tunnel;
  session: TunnelSession;
  tokens: TokenSource;
  clock: Clock;
  log: Logger;
}

export class Agent {
  readonly #ports: AgentPorts;
  readonly #startedAt: number;
  #profile: ProfileResult = { kind: 'none' };

  constructor(ports: AgentPorts) {
    this.#ports = ports;
    this.#startedAt = ports.clock.wall();
  }

  /** Reads the profile, and removes an interface that an agent which was killed has left behind. */
  async start(): Promise<void> {
    const found = await this.#reload();
    if (found.kind !== 'loaded') return;
    const problem = await this.#ports.openTunnel(found.profile).lower();
    if (problem) this.#ports.log.warn({ problem }, 'could not remove what an earlier agent left');
  }

  /** Called after each change of the status. Gives a function that ends it. */
  onChange(listener: () => void): () => void {
    return this.#ports.session.onChange(listener);
  }

  status(): AgentStatus {
    const { session, clock } = this.#ports;
    const { reported, problem, peer, rttMs, link } = session.state;
    const idle = reported === 'disconnected' && link === 'down';
    const profile = this.#profile.kind === 'loaded' ? this.#profile.profile : undefined;
    const refusal = this.#profile.kind === 'refused' ? this.#profile.problem : undefined;
    const shown = problem ?? refusal;
    return {
      state: profile === undefined && idle ? 'unenrolled' : reported,
      since: new Date(profile === undefined && idle ? this.#startedAt : session.since).toISOString(),
      server: profile?.endpoint ?? null,
      address: profile?.address.replace(/\/\d+$/, '') ?? null,
      handshake_age_s: peer?.latestHandshake == null ? null : age(peer.latestHandshake, clock.wall()),
      rx_bytes: peer?.rxBytes ?? 0,
      tx_bytes: peer?.txBytes ?? 0,
      rtt_ms: rttMs,
      bridge_url: profile?.bridge_url ?? null,
      ...(shown === undefined ? {} : { problem: shown }),
    };
  }

  /** Starts connecting, with the profile as it is on the disk now, and returns at once. */
  async connect(): Promise<AgentStatus> {
    if (!this.#ports.session.state.wanted) {
      const found = await this.#reload();
      if (found.kind === 'none') throw new HearthError('not_enrolled', 'This device has no profile yet.');
      if (found.kind === 'refused')
        throw new HearthError('not_enrolled', `${found.problem.message} ${found.problem.fix}`);
      this.#ports.session.connect(found.profile);
    }
    return this.status();
  }

  /** Resolves when the interface is gone. */
  async disconnect(): Promise<AgentStatus> {
    await this.#ports.session.disconnect();
    return this.status();
  }

  /** Throws `not_connected` while there is no way to the bridge. */
  async token(): Promise<AgentToken> {
    const { reported } = this.#ports.session.state;
    if (this.#profile.kind !== 'loaded' || (reported !== 'connected' && reported !== 'degraded'))
      throw new HearthError('not_connected', 'The tunnel is not connected.');
    return this.#ports.tokens.get(this.#profile.profile);
  }

  async #reload(): Promise<ProfileResult> {
    this.#profile = await this.#ports.readProfile();
    if (this.#profile.kind === 'refused')
      this.#ports.log.error({ problem: this.#profile.problem }, 'profile refused');
    return this.#profile;
  }
}

/** Whole seconds; a wall clock set back must not make it negative. */
const age = (unixSeconds: number, wall: number) => Math.max(0, Math.round(wall / 1_000 - unixSeconds));
