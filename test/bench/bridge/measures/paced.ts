/** At a pace a team makes: what an arm adds to the first token and to the gaps, and what it costs meanwhile. */
import { watchOthers } from '../others.ts';
import { cpuSeconds } from '../proc.ts';
import { quantile } from '../../statistics.ts';
import { targetOf, type Player, type Stage } from '../stage.ts';

export const PACED = { perSecond: 100, tokens: 64, gapMs: 5 } as const;

/** One round of one arm. */
export interface PacedRound {
  firstTokenMs: { p50: number; p99: number };
  /** Of |gap − gap at the upstream|. */
  gapErrorMs: { p50: number; p99: number };
  cpuPer1000: number;
  streams: number;
  failed: number;
  /** Of the schedule, and the share of a core that generator and upstream took: what the figures rest on. */
  lateP99Ms: number;
  loadCores: number;
  upstreamCores: number;
  /** Of everything else on the machine. */
  othersCores: number;
}

export async function paced(stage: Stage, player: Player, warmMs: number, ms: number): Promise<PacedRound> {
  const others = watchOthers(stage, player);
  const upstreamBefore = cpuSeconds([stage.upstream.pid]);
  const report = await stage.load.run({
    order: 'arrivals',
    target: targetOf(player),
    script: { tokens: PACED.tokens, gapUs: PACED.gapMs * 1_000, firstUs: 0, cutAfter: 0 },
    perSecond: PACED.perSecond,
    warmMs,
    ms,
  });
  const upstreamSeconds = cpuSeconds([stage.upstream.pid]) - upstreamBefore;
  const both = (values: Float64Array) => ({ p50: quantile(values, 0.5), p99: quantile(values, 0.99) });
  return {
    firstTokenMs: both(report.firstTokenMs),
    gapErrorMs: both(report.gapErrorMs),
    cpuPer1000: (report.cpuSeconds / report.tokens) * 1_000,
    streams: report.started,
    failed: report.failed,
    lateP99Ms: quantile(report.lateMs, 0.99),
    loadCores: report.loadCpuSeconds / report.seconds,
    othersCores: others(),
    upstreamCores: upstreamSeconds / ((warmMs + ms) / 1_000),
  };
}
