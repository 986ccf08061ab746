/** What the tunnel core needs from the world, named for the thing; the adapters are beside, the fakes in the tests. */
import type { AgentProfile, Problem } from '@hearth/protocol';

/** What the interface says of its one peer. */
export type PeerReading =
  | { kind: 'absent' }
  | { kind: 'unreadable'; problem: Problem }
  | {
      kind: 'present';
      rxBytes: number;
      txBytes: number;
      /** Unix seconds, null before the first handshake. */
      latestHandshake: number | null;
    };

/** Whether the bridge answered a request sent through the tunnel, and how fast (milliseconds). */
export type ProbeResult = { kind: 'answered'; rttMs: number } | { kind: 'silent'; reason: string };

/** `retry: false` means that only a person can change the outcome. */
export type RaiseResult = { kind: 'raised' } | { kind: 'failed'; problem: Problem; retry: boolean };

/** One interface to one server. Calls of `raise` and `lower` never overlap. */
export interface Tunnel {
  /** Rejects only when aborted, and then nothing is left behind. */
  raise(signal: AbortSignal): Promise<RaiseResult>;
  /** Resolves with null once the interface is gone, or with what stands in the way. */
  lower(): Promise<Problem | null>;
  read(signal: AbortSignal): Promise<PeerReading>;
  /** Sets the server's endpoint again, which makes WireGuard look it up and shake hands anew. */
  resetEndpoint(signal: AbortSignal): Promise<void>;
}

/** Asks the bridge of a profile for a sign of life. Rejects only when aborted. */
export type Probe = (profile: AgentProfile, signal: AbortSignal) => Promise<ProbeResult>;

export interface Clock {
  /** Milliseconds that only ever grow. */
  now(): number;
  /** Milliseconds since 1970, as the wall clock has it. */
  wall(): number;
  /** Calls back once after `ms`; gives a function that cancels it. */
  after(ms: number, callback: () => void): () => void;
}
