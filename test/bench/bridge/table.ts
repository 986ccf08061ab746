/** The results as a table for the terminal. */
import { quantile } from '../statistics.ts';
import { added, failures, fullCpu, othersCores, pacedCpu, streamsPerSecond } from './compare.ts';
import type { BridgeResults } from './measure-all.ts';
import type { Cancelled } from './measures/cancel.ts';
import type { PacedRound } from './measures/paced.ts';
import { targets } from './targets.ts';

export function table(results: BridgeResults): string {
  const { arms, recovery } = results;
  const direct = arms.find(({ name }) => name === 'direct');
  if (direct === undefined) return 'nothing was measured';
  const rows = arms.map((arm) => ({
    arm: arm.name,
    'first token p50 +ms': added(arm, direct, (one) => one.firstTokenMs.p50).median.toFixed(2),
    'p99 +ms': added(arm, direct, (one) => one.firstTokenMs.p99).median.toFixed(2),
    'gap p99 +ms': added(arm, direct, (one) => one.gapErrorMs.p99).median.toFixed(2),
    'CPU ms/1000 paced': (pacedCpu(arm).median * 1_000).toFixed(1),
    'CPU ms/1000 full': (fullCpu(arm).median * 1_000).toFixed(1),
    'streams/s': streamsPerSecond(arm).median.toFixed(0),
    'MB at 1/64/256': arm.memory.map(({ rssMb }) => rssMb.toFixed(0)).join('/') || '-',
    'cancel mid/before ms': `${slowest(arm.cancel.midStream)}/${slowest(arm.cancel.beforeFirst)}`,
    cut: arm.cut,
    failed: String(failures(arm)),
  }));
  const head = Object.keys(rows[0] ?? {});
  const cells = [head, ...rows.map((row) => Object.values(row))];
  const widths = head.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const lines = cells.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
  for (const { name, times } of recovery)
    for (const { answeredAfterMs, failed, usedAgainAfterMs } of times)
      lines.push(
        `${name}: ${answeredAfterMs.toFixed(0)} ms from kill -9 to the next answer (${failed} failed), used again after ${usedAgainAfterMs?.toFixed(0) ?? 'never'} ms`,
      );
  const others = othersCores(arms);
  const median = (of: (round: PacedRound) => number) => quantile(direct.paced.map(of), 0.5);
  lines.push(
    `direct itself: first token p50 ${median((one) => one.firstTokenMs.p50).toFixed(2)} ms, p99 ${median((one) => one.firstTokenMs.p99).toFixed(2)} ms; schedule kept within ${median((one) => one.lateP99Ms).toFixed(1)} ms (p99)`,
    `other programs took ${others.median.toFixed(2)} cores, at most ${others.max.toFixed(2)}`,
    ...targets(results, undefined).flatMap(({ what, limit, measured }) =>
      measured === null
        ? []
        : [`${measured.reached ? 'reached    ' : 'NOT reached'}  ${what}: ${measured.text} (${limit})`],
    ),
  );
  return lines.join('\n');
}

const slowest = ({ noticed, abandoned, maxMs }: Cancelled) =>
  noticed < abandoned ? 'never' : (maxMs?.toFixed(1) ?? 'never');
