/** The agent itself: profile, tunnel and token as one thing that can be asked, told, and listened to. */
import { HearthError } from '@hearth/protocol';
import type { AgentProfile, AgentStatus, AgentToken } from '@hearth/protocol';
import type { Logger } from 'pino';
import { sameProfile } from './profile.ts';
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

/** What it is told is done once `start` has finished; the last of `connect` and `disconnect` wins. */
export class Agent {
  readonly #ports: AgentPorts;
  readonly #listeners = new Set<() => void>();
  #started: Promise<void> = Promise.resolve();
  /** Grows with each `disconnect`, so that a `connect` that began before it knows it was overruled. */
  #disconnects = 0;
  #ended = false;
  /** What the profile file held when it was last read, and since when it has been there, or not. */
  #found: ProfileResult = { kind: 'none' };
  #foundSince: number;
  /** The last profile that could be used; a tunnel that is up keeps it when the file goes bad. */
  #profile: AgentProfile | undefined;

  constructor(ports: AgentPorts) {
    this.#ports = ports;
    this.#foundSince = ports.clock.wall();
  }

  /** Reads the profile, and removes an interface that an agent which was killed has left behind. Call it once. */
  start(): Promise<void> {
    this.#started = this.#cleanUp();
    return this.#started;
  }

  /** Called after each change of the status. Gives a function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    const off = this.#ports.session.onChange(listener);
    return () => {
      this.#listeners.delete(listener);
      off();
    };
  }

  status(): AgentStatus {
    const { session, clock } = this.#ports;
    const { reported, problem, peer, rttMs, link } = session.state;
    const idle = reported === 'disconnected' && link === 'down';
    const profile = idle && this.#found.kind !== 'loaded' ? undefined : this.#profile;
    const refusal = this.#found.kind === 'refused' ? this.#found.problem : undefined;
    const shown = problem ?? refusal;
    const since = idle ? Math.max(session.since, this.#foundSince) : session.since;
    return {
      state: profile === undefined ? 'unenrolled' : reported,
      since: new Date(since).toISOString(),
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

  /**
   * Starts connecting, with the profile as it is on the disk now, and returns without waiting for the outcome. A
   * tunnel with another profile is taken down first. One that is up stays when the profile can't be used any more.
   */
  async connect(): Promise<AgentStatus> {
    const disconnects = this.#disconnects;
    await this.#started;
    const found = await this.#reload();
    try {
      if (this.#ended) throw new HearthError('draining', 'The agent is ending.');
      if (found.kind === 'none') throw new HearthError('not_enrolled', 'This device has no profile yet.');
      if (found.kind === 'refused')
        throw new HearthError('not_enrolled', `${found.problem.message} ${found.problem.fix}`);
      if (disconnects === this.#disconnects) this.#ports.session.connect(found.profile);
      return this.status();
    } finally {
      this.#publish();
    }
  }

  /** Resolves when the interface is gone. */
  async disconnect(): Promise<AgentStatus> {
    this.#disconnects += 1;
    await this.#started;
    await this.#ports.session.disconnect();
    return this.status();
  }

  /** `disconnect` for good: from here on `connect` is refused. */
  async end(): Promise<AgentStatus> {
    this.#ended = true;
    return this.disconnect();
  }

  /** `fresh`: not one that was given out before. Throws `not_connected` while there is no way to the bridge. */
  async token(fresh: boolean): Promise<AgentToken> {
    await this.#started;
    const { reported } = this.#ports.session.state;
    if (this.#profile === undefined || (reported !== 'connected' && reported !== 'degraded'))
      throw new HearthError('not_connected', 'The tunnel is not connected.');
    return this.#ports.tokens.get(this.#profile, fresh);
  }

  async #cleanUp(): Promise<void> {
    const found = await this.#reload();
    this.#publish();
    if (found.kind !== 'loaded') return;
    const problem = await this.#ports.openTunnel(found.profile).lower();
    if (problem) this.#ports.log.warn({ problem }, 'could not remove what an earlier agent left');
  }

  /** The same content stays the same object: by that the session and the token source tell profiles apart. */
  async #reload(): Promise<ProfileResult> {
    let found = await this.#ports.readProfile();
    if (found.kind === 'loaded') {
      if (this.#profile && sameProfile(this.#profile, found.profile))
        found = { kind: 'loaded', profile: this.#profile };
      this.#profile = found.profile;
    }
    if (found.kind === 'refused') this.#ports.log.error({ problem: found.problem }, 'profile refused');
    if ((found.kind === 'loaded') !== (this.#found.kind === 'loaded'))
      this.#foundSince = this.#ports.clock.wall();
    this.#found = found;
    return found;
  }

  #publish(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** Whole seconds; a wall clock set back must not make it negative. */
const age = (unixSeconds: number, wall: number) => Math.max(0, Math.round(wall / 1_000 - unixSeconds));
