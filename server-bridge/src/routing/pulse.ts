/** Whether a backend that has work gets on with it, whatever its health check says. Pure. */

/** What is going on at a backend; times in milliseconds on the monotonic clock. */
export interface Pulse {
  /** Our requests there. */
  inFlight: number;
  /** Those of them that have had their first token and wait for the next. */
  decoding: number;
  /** When a token last came, or when work began after a time without any. */
  movedAt: number;
  /** Requests that the engine itself says it runs; undefined where it doesn't say. */
  running: number | undefined;
  /** When the engine's own count of tokens last grew; undefined where it has none. */
  progressedAt: number | undefined;
}

export interface Patience {
  first_token: number;
  stall: number;
}

/**
 * Why the backend counts as hung; undefined while it doesn't. The engine's own counters show the reading of long
 * prompts, too: where there are none, a single silent request before its first token proves nothing.
 */
export function silence(pulse: Pulse, limits: Patience, now: number): string | undefined {
  const still = now - Math.max(pulse.movedAt, pulse.progressedAt ?? Number.NEGATIVE_INFINITY);
  const running = Math.max(pulse.inFlight, pulse.running ?? 0);
  const words = `no token for ${seconds(still)} s while ${running} ${running === 1 ? 'request runs' : 'requests run'}`;
  if (pulse.decoding > 0) return still > limits.stall ? words : undefined;
  const telling = pulse.inFlight > 1 || (running > 0 && pulse.progressedAt !== undefined);
  return telling && still > Math.max(limits.first_token, limits.stall) ? words : undefined;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1).replace(/\.0$/, '');
}
