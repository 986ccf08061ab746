/**
 * How hot a card is for routing: from what was read of it, its limits, and how hot it was before. Pure.
 *
 * A level is left only well below where it was entered, so a card that hovers about its limit doesn't send requests to
 * and fro. An unknown temperature is never hot. A card that is lost counts as critical: it must take nothing.
 */
import type { GpuConfig } from '@hearth/protocol';
import type { Heat } from '../routing/standing.ts';
import type { GpuReading } from './reading.ts';

/** What has to be remembered between two readings. Times are milliseconds on one monotonic clock. */
export interface HeatState {
  readonly heat: Heat;
  /** The level without faults: by temperature and slowdown alone. */
  readonly thermal: Heat['level'];
  /** When it was last seen to slow itself down, and why. */
  readonly slowed: { readonly at: number; readonly why: string } | undefined;
}

/** Degrees below a limit at which its level is left. */
const MARGIN_C = 3;
/** A card that slows down cools, speeds up and slows down again: it counts as one slowdown for so long. */
const SLOWDOWN_MS = 30_000;
/** From when on a reading is old. */
const STALE_S = 30;
const STALE_STEPS = [
  { upTo: 300, step: STALE_S },
  { upTo: 3_600, step: 300 },
  { upTo: Number.POSITIVE_INFINITY, step: 3_600 },
];

const OK: Heat = { level: 'ok', words: '' };
export const COOL: HeatState = { heat: OK, thermal: 'ok', slowed: undefined };

type Limited = Pick<GpuConfig, 'id' | 'limits'>;

export function afterReading(gpu: Limited, before: HeatState, reading: GpuReading, now: number): HeatState {
  const slowed =
    reading.slowdown === null
      ? before.slowed !== undefined && now - before.slowed.at < SLOWDOWN_MS
        ? before.slowed
        : undefined
      : { at: now, why: reading.slowdown };
  const thermal = thermalHeat(gpu, before.thermal, reading.temperatureC, slowed?.why);
  const heat =
    reading.fault === null
      ? thermal
      : { level: 'critical' as const, words: `${gpu.id} is lost: ${reading.fault}` };
  return { heat, thermal: thermal.level, slowed };
}

/** It was there and is no longer, or it is there and can't be reached. */
export function afterLoss(gpu: Limited, before: HeatState, reason: string): HeatState {
  return { ...before, heat: { level: 'critical', words: `${gpu.id} is lost: ${reason}` } };
}

/** Seconds since something was found out, in steps that nobody minds being told of; 0 in the first 30. */
export function staleness(ageMs: number): number {
  const seconds = ageMs / 1_000;
  const { step = STALE_S } = STALE_STEPS.find(({ upTo }) => seconds < upTo) ?? {};
  return Math.floor(seconds / step) * step;
}

/** The heat by an old reading: the same, and it says so. `why` there is no newer one. */
export function staleHeat({ level, words }: Heat, staleS: number, why: string): Heat {
  if (level === 'ok' || staleS === 0) return { level, words };
  return { level, words: `${words} (${staleS} s ago; since then ${why})` };
}

function thermalHeat(
  { id, limits }: Limited,
  before: Heat['level'],
  celsius: number | null,
  slowed: string | undefined,
): Heat {
  const over = celsius === null ? undefined : overLimit(limits, before, celsius);
  if (over === undefined) {
    if (slowed === undefined) return OK;
    const at = celsius === null ? '' : ` at ${celsius} °C`;
    return { level: 'hot', words: `${id} slows itself down${at} (${slowed})` };
  }
  const { level, limit } = over;
  const which = level === 'critical' ? 'critical limit' : 'limit';
  if (celsius !== null && celsius < limit)
    return {
      level,
      words: `${id} is at ${celsius} °C, still within ${MARGIN_C} °C of its ${which} of ${limit}`,
    };
  return {
    level,
    words: `${id} is at ${celsius} °C, ${celsius === limit ? 'at' : 'over'} its ${which} of ${limit}`,
  };
}

function overLimit(
  { hot_c: hot, critical_c: critical }: GpuConfig['limits'],
  before: Heat['level'],
  celsius: number,
): { level: 'hot' | 'critical'; limit: number } | undefined {
  const holds = (limit: number, held: boolean) => celsius >= limit || (held && celsius > limit - MARGIN_C);
  if (holds(critical, before === 'critical')) return { level: 'critical', limit: critical };
  if (holds(hot, before !== 'ok')) return { level: 'hot', limit: hot };
  return undefined;
}
