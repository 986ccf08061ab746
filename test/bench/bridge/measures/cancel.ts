/** A client goes away: how long until the upstream, and so the GPU, knows. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Script } from '../script.ts';
import { targetOf, type Player, type Stage } from '../stage.ts';
import { quantile } from '../../statistics.ts';

/** A stream that would go on for four seconds, and one that would be silent for six. */
const WHEN: Record<'midStream' | 'beforeFirst', { script: Script; afterMs: number }> = {
  midStream: { script: { tokens: 100, gapUs: 40_000, firstUs: 0, cutAfter: 0 }, afterMs: 300 },
  beforeFirst: { script: { tokens: 4, gapUs: 40_000, firstUs: 6_000_000, cutAfter: 0 }, afterMs: 200 },
};
const EVERY_MS = 25;

export interface Cancelled {
  abandoned: number;
  /** How many of them the upstream heard of within `waitMs`. */
  noticed: number;
  waitMs: number;
  /** Of those that were noticed; null when none was. */
  p50Ms: number | null;
  maxMs: number | null;
}

export async function cancel(
  stage: Stage,
  player: Player,
  when: keyof typeof WHEN,
  count: number,
  waitMs: number,
): Promise<Cancelled> {
  const { script, afterMs } = WHEN[when];
  const { abandonedUs } = await stage.load.run({
    order: 'abandon',
    target: targetOf(player),
    script,
    count,
    afterMs,
    everyMs: EVERY_MS,
  });
  const took: number[] = [];
  for (let waited = 0; took.length < count && waited < waitMs; waited += EVERY_MS) {
    const closedUs = await stage.upstream.closed();
    for (const [id, us] of abandonedUs) {
      const closed = closedUs.get(id);
      if (closed !== undefined) took.push((closed - us) / 1_000);
    }
    await sleep(EVERY_MS);
  }
  return {
    abandoned: count,
    noticed: took.length,
    waitMs,
    p50Ms: took.length === 0 ? null : quantile(took, 0.5),
    maxMs: took.length === 0 ? null : Math.max(...took),
  };
}
