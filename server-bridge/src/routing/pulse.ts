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
  /**
   * Milliseconds for which the engine's own count of its work has been seen to stand still: between two looks at it, and
   * not until now. Undefined where it has none.
   */
  engineStillMs: number | undefined;
}

export interface Patience {
  first_token: number;
  stall: number;
}

/** A stream's own timer, which asks this when it fires, was started a little before the token was noted here. */
const SLACK_MS = 50;

/**
 * Why the backend counts as hung; undefined while it doesn't. The engine's own counters show the reading of long
 * prompts, too: where there are none, a single silent request before its first token proves nothing.
 */
export function silence(pulse: Pulse, limits: Patience, now: number): string | undefined {
  const still = Math.min(now - pulse.movedAt, pulse.engineStillMs ?? Number.POSITIVE_INFINITY);
  const running = Math.max(pulse.inFlight, pulse.running ?? 0);
  const words = `no token for ${seconds(still)} s while ${running} ${running === 1 ? 'request runs' : 'requests run'}`;
  if (pulse.decoding > 0) return still > limits.stall - SLACK_MS ? words : undefined;
  const telling = pulse.inFlight > 1 || (running > 0 && pulse.engineStillMs !== undefined);
  return telling && still > Math.max(limits.first_token, limits.stall) - SLACK_MS ? words : undefined;
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1).replace(/\.0$/, '');
}
