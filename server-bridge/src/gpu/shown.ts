/** What the status says of a card. Pure. */
import type { GpuConfig, GpuStatus } from '@hearth/protocol';
import type { Heat } from '../routing/standing.ts';
import type { GpuReading } from './reading.ts';

/** What is known of a card now: either why it isn't watched, or its heat and, unless it was never read, its reading. */
export type Known =
  | { kind: 'unwatched'; reason: string }
  | {
      kind: 'watched';
      heat: Heat;
      reading: GpuReading | undefined;
      /** Seconds, once it is old; 0 before. */
      staleS: number;
      /** Why there is no newer reading. */
      silence: string;
    };

/** How far a number moves before it is told: a busy card's readings never stand still, and nobody acts on one percent. */
const NOTEWORTHY = { temperature_c: 2, memory_used_mb: 256, utilization: 0.1, power_w: 10 };

/** The entry for the status: `before` itself where nothing noteworthy has changed since. */
export function shown({ id, vendor }: GpuConfig, known: Known, before: GpuStatus | undefined): GpuStatus {
  const next: GpuStatus = {
    id,
    vendor,
    ...(known.kind === 'unwatched'
      ? { level: 'unwatched', reason: known.reason, ...readings(undefined), age_s: null }
      : {
          level: known.heat.level,
          reason: reasonOf(id, known),
          ...readings(known.reading),
          age_s: known.reading === undefined ? null : known.staleS,
        }),
  };
  return before !== undefined && isMuchTheSame(before, next) ? before : next;
}

function reasonOf(id: string, { heat, staleS, silence }: Known & { kind: 'watched' }): string | null {
  if (heat.level !== 'ok') return heat.words;
  return staleS === 0 ? null : `nothing was read of ${id} for ${staleS} s: ${silence}`;
}

function readings(reading: GpuReading | undefined) {
  const { temperatureC = null, utilization = null, powerW = null } = reading ?? {};
  return {
    temperature_c: temperatureC,
    memory_used_mb: reading?.memoryUsedMb ?? null,
    memory_total_mb: reading?.memoryTotalMb ?? null,
    utilization,
    power_w: powerW === null ? null : Math.round(powerW),
  };
}

function isMuchTheSame(before: GpuStatus, next: GpuStatus): boolean {
  const exact = ['id', 'vendor', 'level', 'reason', 'memory_total_mb', 'age_s'] as const;
  if (exact.some((key) => before[key] !== next[key])) return false;
  return (Object.keys(NOTEWORTHY) as (keyof typeof NOTEWORTHY)[]).every((key) => {
    const [was, is] = [before[key], next[key]];
    return was === null || is === null ? was === is : Math.abs(was - is) < NOTEWORTHY[key];
  });
}
