/** As much as goes through: streams one after the other on many connections, tokens as fast as the upstream writes. */
import { watchOthers } from '../others.ts';
import { targetOf, type Player, type Stage } from '../stage.ts';

export const SATURATION = { concurrency: 64, tokens: 64 } as const;

/** One round of one arm. */
export interface SaturationRound {
  /** By tokens received, so that streams cut by the end of the window count for their part. */
  streamsPerSecond: number;
  cpuPer1000: number;
  /** Cores in use by the arm and by the load generator. */
  cores: number;
  loadCores: number;
  /** Of everything else on the machine. */
  othersCores: number;
  failed: number;
}

export async function saturation(
  stage: Stage,
  player: Player,
  warmMs: number,
  ms: number,
): Promise<SaturationRound> {
  const others = watchOthers(stage, player);
  const report = await stage.load.run({
    order: 'concurrent',
    target: targetOf(player),
    script: { tokens: SATURATION.tokens, gapUs: 0, firstUs: 0, cutAfter: 0 },
    concurrency: SATURATION.concurrency,
    warmMs,
    ms,
  });
  return {
    streamsPerSecond: report.tokens / SATURATION.tokens / report.seconds,
    cpuPer1000: (report.cpuSeconds / report.tokens) * 1_000,
    cores: report.cpuSeconds / report.seconds,
    loadCores: report.loadCpuSeconds / report.seconds,
    othersCores: others(),
    failed: report.failed,
  };
}
