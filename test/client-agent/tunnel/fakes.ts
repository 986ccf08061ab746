/** A clock that stands until it is moved, a tunnel in memory, and a profile for them. */
import { agentProfile } from '@hearth/protocol';
import type { AgentProfile, Problem } from '@hearth/protocol';
import { generateKeyPair } from 'wireguard-tools-wrapper/keys';
import type { Clock, PeerReading, RaiseResult, Tunnel } from '../../../client-agent/src/tunnel/ports.ts';

export const API_KEY = 'hk_test_a-key-that-must-stay-inside';

export function makeProfile(bridgeUrl = 'http://10.77.0.1:8000', endpoint = '192.0.2.1:51820'): AgentProfile {
  return agentProfile.parse({
    private_key: generateKeyPair().privateKey.reveal(),
    address: '10.77.0.2/32',
    server_public_key: generateKeyPair().publicKey,
    endpoint,
    allowed_ips: ['10.77.0.1/32'],
    bridge_url: bridgeUrl,
    api_key: API_KEY,
  });
}

export class FakeClock implements Clock {
  #now = 0;
  /** How far the wall clock was set, or the monotonic one stood still. */
  #shift = 0;
  #timers: { due: number; callback: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  wall(): number {
    return Date.UTC(2026, 0, 1) + this.#now + this.#shift;
  }

  /** Moves the wall clock alone. */
  shiftWall(ms: number): void {
    this.#shift += ms;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { due: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves on, runs what is due, and lets promises settle. */
  async advance(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#timers.filter((timer) => timer.due <= this.#now);
    this.#timers = this.#timers.filter((timer) => timer.due > this.#now);
    for (const { callback } of due) callback();
    await settled();
  }
}

/** Lets everything that waits for nothing but promises go on. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export class FakeTunnel implements Tunnel {
  /** Whether the interface exists. */
  exists = false;
  rxBytes = 0;
  endpointResets = 0;
  raiseResult: RaiseResult = { kind: 'raised' };
  stuck: Problem | null = null;
  /** While set, `raise` waits for it or for the abort. */
  hold: Promise<void> | undefined;
  /** While set, `lower` waits for it. */
  lowerHold: Promise<void> | undefined;

  async raise(signal: AbortSignal): Promise<RaiseResult> {
    if (this.exists) throw new Error('raised twice');
    this.exists = true;
    if (this.hold) {
      const aborted = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => {
        this.exists = false;
        aborted.reject(signal.reason);
      });
      await Promise.race([this.hold, aborted.promise]);
    }
    if (this.raiseResult.kind === 'failed') this.exists = false;
    return this.raiseResult;
  }

  async lower(): Promise<Problem | null> {
    await this.lowerHold;
    if (this.stuck === null) this.exists = false;
    return this.stuck;
  }

  async read(): Promise<PeerReading> {
    if (!this.exists) return { kind: 'absent' };
    return { kind: 'present', rxBytes: this.rxBytes, txBytes: 0, latestHandshake: 1_000 };
  }

  async resetEndpoint(): Promise<void> {
    this.endpointResets += 1;
  }
}
