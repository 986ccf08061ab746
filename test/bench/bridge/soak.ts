/** The bridge under 256 streams for a long time: whether its memory stays where it is. */
import { setInterval as every } from 'node:timers/promises';
import type { Arm } from './arms/arm.ts';
import { HELD } from './measures/memory.ts';
import { rssMb } from './proc.ts';
import { setStage, targetOf } from './stage.ts';

const STREAMS = 256;
const SAMPLE_MS = 5_000;
/** Heaps settle first; the slope is of what comes after. */
const SETTLE_S = 60;

export interface SoakResults {
  description: string;
  streams: number;
  seconds: number;
  completed: number;
  failed: number;
  tokensPerSecond: number;
  /** [seconds, MB], each five seconds. */
  samples: [number, number][];
  /** Of the least-squares line through the samples after the first minute. */
  slopeMbPerHour: number;
}

export async function soak(arm: Arm, ms: number, say: (line: string) => void): Promise<SoakResults> {
  await using stage = await setStage([arm], say);
  const [player] = stage.players;
  if (player === undefined) throw new Error(stage.leftOut[0]?.reason ?? 'the bridge did not start');
  const samples: [number, number][] = [];
  const stop = new AbortController();
  const pids = player.pids();
  const started = performance.now();
  const sample = () => {
    const seconds = Math.round((performance.now() - started) / 1_000);
    const mb = Math.round(rssMb(pids) * 10) / 10;
    samples.push([seconds, mb]);
    say(`soak: ${seconds} s, ${mb.toFixed(1)} MB`);
  };
  const sampling = (async () => {
    for await (const _ of every(SAMPLE_MS, undefined, { signal: stop.signal })) sample();
  })().catch((error: unknown) => {
    if ((error as Error).name !== 'AbortError') throw error;
  });
  try {
    const report = await stage.load.run({
      order: 'concurrent',
      target: targetOf(player),
      script: { tokens: HELD.tokens, gapUs: HELD.gapMs * 1_000, firstUs: 0, cutAfter: 0 },
      concurrency: STREAMS,
      warmMs: 0,
      ms,
    });
    return {
      description: player.description,
      streams: STREAMS,
      seconds: Math.round(report.seconds),
      completed: report.completed,
      failed: report.failed,
      tokensPerSecond: report.tokens / report.seconds,
      samples,
      slopeMbPerHour: slope(samples.filter(([seconds]) => seconds >= Math.min(SETTLE_S, ms / 5_000))) * 3_600,
    };
  } finally {
    stop.abort();
    await sampling;
  }
}

/** Of the least-squares line. */
function slope(points: [number, number][]): number {
  const mean = (of: (point: [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([one]) => one), mean(([, one]) => one)];
  return mean(([a, b]) => (a - x) * (b - y)) / mean(([a]) => (a - x) ** 2);
}
