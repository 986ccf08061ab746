/** Durations as people write them in configuration (`500ms`, `8s`, `15m`, `24h`, `90d`), as milliseconds inside. */
import { z } from 'zod';

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Accepts a duration string, gives milliseconds. */
export const duration = z
  .string()
  .regex(/^\d+(ms|s|m|h|d)$/, 'a duration is a number with a unit: 500ms, 8s, 15m, 24h, 90d')
  .transform((text) => {
    const unit = text.replace(/^\d+/, '') as keyof typeof UNIT_MS;
    return Number.parseInt(text, 10) * UNIT_MS[unit];
  });

/** What a timer can count; Node lets longer ones fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export const timerDuration = duration.refine(
  (ms) => ms <= TIMER_MAX_MS,
  'at most 24d: no timer counts longer',
);
