/** Resident memory while so many paced streams are open. */
import { setInterval as every } from 'node:timers/promises';
import { peakMb, resetPeak, rssMb } from '../proc.ts';
import { quantile } from '../../statistics.ts';
import { targetOf, type Player, type Stage } from '../stage.ts';

/** At the level of 256 this is 6,400 tokens a second, as in the paced measure. */
export const HELD = { tokens: 64, gapMs: 40 } as const;

export interface MemoryLevel {
  streams: number;
  /** The median of the samples, and the most there ever was. */
  rssMb: number;
  peakMb: number;
  failed: number;
}

const SAMPLE_MS = 100;

export async function memory(
  stage: Stage,
  player: Player,
  streams: number,
  ms: number,
): Promise<MemoryLevel> {
  const pids = player.pids();
  resetPeak(pids);
  const samples: number[] = [];
  const stop = new AbortController();
  const sampling = (async () => {
    for await (const _ of every(SAMPLE_MS, undefined, { signal: stop.signal })) samples.push(rssMb(pids));
  })().catch((error: unknown) => {
    if ((error as Error).name !== 'AbortError') throw error;
  });
  try {
    const { failed } = await stage.load.run({
      order: 'concurrent',
      target: targetOf(player),
      script: { tokens: HELD.tokens, gapUs: HELD.gapMs * 1_000, firstUs: 0, cutAfter: 0 },
      concurrency: streams,
      warmMs: 0,
      ms,
    });
    return { streams, rssMb: quantile(samples, 0.5), peakMb: peakMb(pids), failed };
  } finally {
    stop.abort();
    await sampling;
  }
}
