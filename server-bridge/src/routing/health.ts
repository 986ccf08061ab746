/**
 * A backend's health and its breaker, as one state machine. Pure: the same events at the same times, with the same
 * chance, give the same state.
 *
 * A backend serves only after it has proved itself with a canary. One that broke is closed off, tried again after a
 * back-off with jitter, and then by a single canary and not by people's requests.
 */
import type { BackendState } from '@hearth/protocol';

export interface Health {
  /** `unproven`: it may answer soon, but nothing is sent to it before its canary. Only `serving` takes requests. */
  phase: 'unproven' | 'serving' | 'broken' | 'stopped';
  /** Why, in words for a person; null while it simply serves. */
  reason: string | null;
  lastError: string | null;
  /** Failures in a row, of probes and requests together, since it last answered. */
  failures: number;
  /** How often it broke in a row without serving well in between; it sets the back-off. */
  breaks: number;
  /** Milliseconds on the monotonic clock before which a broken one isn't tried again. */
  retryAt: number;
  /** Whether its own answers are what is wrong: then only a canary clears it, and no passing success does. */
  unsound: boolean;
}

export type HealthEvent =
  /** Its health check answered well. */
  | { kind: 'reachable' }
  /** It gave a request its first token. */
  | { kind: 'answered' }
  /** Its own counters say that it works on something, and gets on with it. */
  | { kind: 'progressed' }
  /** It can't answer at all: the connection was refused, its process has gone. */
  | { kind: 'gone'; reason: string }
  /** It answered wrongly or too late, which may pass. */
  | { kind: 'failed'; reason: string }
  /** It has work and does nothing. */
  | { kind: 'hung'; reason: string }
  /** It is another process than before. */
  | { kind: 'restarted' }
  | { kind: 'proved' }
  | { kind: 'unsound'; reason: string }
  /** Nobody is to start it for now. */
  | { kind: 'stopped'; reason: string };

/** One wrong answer is an accident, two in a row are a state. */
const FAILURES_TO_BREAK = 2;
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;

export const UNKNOWN: Health = {
  phase: 'unproven',
  reason: 'not checked yet',
  lastError: null,
  failures: 0,
  breaks: 0,
  retryAt: 0,
  unsound: false,
};

/** `now` in milliseconds on the monotonic clock; `chance` from 0 to 1, for the jitter of the back-off. */
export function nextHealth(health: Health, event: HealthEvent, now: number, chance: number): Health {
  const unproven: Health = {
    ...health,
    phase: 'unproven',
    reason: 'it has yet to prove itself',
    failures: 0,
  };
  const serving: Health = { ...health, phase: 'serving', reason: null, failures: 0, unsound: false };
  switch (event.kind) {
    case 'reachable':
      if (health.phase === 'broken') return now < health.retryAt ? health : unproven;
      return health.phase === 'stopped' ? unproven : health;
    case 'answered':
      if (health.phase === 'serving') return { ...serving, breaks: 0 };
      return health.phase === 'broken' && !health.unsound ? serving : health;
    case 'progressed':
      return health.phase === 'unproven' && !health.unsound ? serving : health;
    case 'proved':
      return serving;
    case 'restarted':
      return health.phase === 'serving' ? unproven : health;
    case 'gone':
      // That nothing answers where nothing is to run is no news.
      if (health.phase === 'stopped') return health;
      // It can be started again at any moment, and then counts as new: no waiting.
      return { ...broken(health, event.reason), retryAt: now, unsound: false };
    case 'failed': {
      if (health.phase === 'stopped') return health;
      const failures = health.failures + 1;
      if (health.phase === 'serving' && failures < FAILURES_TO_BREAK)
        return { ...health, reason: event.reason, lastError: event.reason, failures };
      // What started before it broke and fails now is no news about it.
      if (health.phase === 'broken') return { ...health, lastError: event.reason };
      return backOff({ ...health, failures }, event.reason, now, chance);
    }
    case 'hung':
      return health.phase === 'broken' || health.phase === 'stopped'
        ? health
        : backOff(health, event.reason, now, chance);
    case 'unsound':
      if (health.phase === 'stopped') return health;
      return { ...backOff(health, event.reason, now, chance), unsound: true };
    case 'stopped':
      return { ...UNKNOWN, phase: 'stopped', reason: event.reason, lastError: health.lastError };
  }
}

/** Whether it is time for its canary. */
export function wantsProof(health: Health): boolean {
  return health.phase === 'unproven';
}

/** The state as people see it. */
export function stateOf(health: Health): Exclude<BackendState, 'draining'> {
  switch (health.phase) {
    case 'serving':
      return health.failures === 0 ? 'up' : 'suspect';
    case 'unproven':
      return 'suspect';
    case 'broken':
      return 'down';
    case 'stopped':
      return 'stopped';
  }
}

function broken(health: Health, reason: string): Health {
  return { ...health, phase: 'broken', reason, lastError: reason };
}

function backOff(health: Health, reason: string, now: number, chance: number): Health {
  const breaks = health.breaks + 1;
  const full = Math.min(FIRST_RETRY_MS * 2 ** (breaks - 1), LAST_RETRY_MS);
  // Between half and all of it, so that several bridges, or several backends of one host, don't come back in step.
  return { ...broken(health, reason), breaks, retryAt: now + full * (0.5 + chance / 2) };
}
