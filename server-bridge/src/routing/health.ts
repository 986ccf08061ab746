/** What a backend's state becomes when something is learnt of it. Pure: the same events give the same state. */
import type { BackendState } from '@hearth/protocol';

export interface Health {
  state: BackendState;
  /** Why, in words for a person; null while it is up. */
  reason: string | null;
  /** Failures in a row, of probes and requests together. */
  failures: number;
  lastError: string | null;
}

export type HealthEvent =
  | { kind: 'ok' }
  /** It can't answer at all: the connection was refused, its process has gone. */
  | { kind: 'gone'; reason: string }
  /** It answered wrongly or too late, which may pass. */
  | { kind: 'failed'; reason: string };

/** A backend nobody has asked yet is worth a try. */
export const UNKNOWN: Health = { state: 'suspect', reason: 'not checked yet', failures: 0, lastError: null };

/** One wrong answer is an accident, two in a row are a state. */
const FAILURES_TO_DOWN = 2;

export function nextHealth(health: Health, event: HealthEvent): Health {
  switch (event.kind) {
    case 'ok':
      return { ...health, state: 'up', reason: null, failures: 0 };
    case 'gone':
      return { state: 'down', reason: event.reason, failures: health.failures + 1, lastError: event.reason };
    case 'failed': {
      const failures = health.failures + 1;
      const state = failures >= FAILURES_TO_DOWN ? 'down' : 'suspect';
      return { state, reason: event.reason, failures, lastError: event.reason };
    }
  }
}
