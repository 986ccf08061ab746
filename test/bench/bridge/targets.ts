/** What the bridge is to reach, and whether it did in these results: computed, never written by hand. */
import { added, fullCpu, pacedCpu, streamsPerSecond } from './compare.ts';
import type { ArmResults, BridgeResults } from './measure-all.ts';
import { drift } from './soak-drift.ts';
import type { SoakResults } from './soak.ts';

export interface Target {
  what: string;
  limit: string;
  /** Null when this run has nothing to judge it by. */
  measured: { text: string; reached: boolean } | null;
}

const FLAT_MB = 5;
const SOAK_S = 600;
const LEVEL = 256;

export function targets({ arms }: BridgeResults, soak: SoakResults | undefined): Target[] {
  const find = (name: string) => arms.find((arm) => arm.name === name);
  const [bridge, direct, nginx, portkey] = ['bridge', 'direct', 'nginx', 'portkey'].map(find);
  if (bridge === undefined || direct === undefined) return [];
  const most = (what: string, value: number | undefined, limit: number, unit: string): Target => ({
    what,
    limit: `at most ${limit} ${unit}`,
    measured: value === undefined ? null : { text: `${value.toFixed(2)} ${unit}`, reached: value <= limit },
  });
  const times = (mine: number, theirs: ArmResults | undefined, of: (arm: ArmResults) => number) =>
    theirs && mine / of(theirs);
  const cancelled = [bridge.cancel.midStream, bridge.cancel.beforeFirst];
  const cancelMs = cancelled.every(({ noticed, abandoned }) => noticed === abandoned)
    ? Math.max(...cancelled.map(({ maxMs }) => maxMs ?? Number.POSITIVE_INFINITY))
    : Number.POSITIVE_INFINITY;
  const overPortkey = times(streamsPerSecond(bridge).median, portkey, (arm) => streamsPerSecond(arm).median);
  return [
    most(
      'added to the first token, p50',
      added(bridge, direct, (one) => one.firstTokenMs.p50).median,
      0.5,
      'ms',
    ),
    most(
      'added to the first token, p99',
      added(bridge, direct, (one) => one.firstTokenMs.p99).median,
      3,
      'ms',
    ),
    most(
      'CPU for 1,000 tokens at the paced load',
      times(pacedCpu(bridge).median, nginx, (arm) => pacedCpu(arm).median),
      2,
      "times nginx's",
    ),
    most(
      'CPU for 1,000 tokens at saturation',
      times(fullCpu(bridge).median, nginx, (arm) => fullCpu(arm).median),
      2,
      "times nginx's",
    ),
    {
      what: 'streams a second at saturation',
      limit: "at least 2 times Portkey's",
      measured:
        overPortkey === undefined
          ? null
          : { text: `${overPortkey.toFixed(2)} times Portkey's`, reached: overPortkey >= 2 },
    },
    most(
      `memory at ${LEVEL} streams, the most there was`,
      bridge.memory.find((one) => one.streams === LEVEL)?.peakMb,
      150,
      'MB',
    ),
    flatness(soak),
    most('a client gone until the upstream knows, the slowest', cancelMs, 50, 'ms'),
  ];
}

function flatness(soak: SoakResults | undefined): Target {
  const what = 'memory over ten minutes of 256 streams';
  const limit = `flat: the last fifth within ${FLAT_MB} MB of the second`;
  if (soak === undefined || soak.seconds < SOAK_S) return { what, limit, measured: null };
  const { early, late } = drift(soak.samples);
  const grown = late - early;
  return {
    what,
    limit,
    measured: { text: `${grown < 0 ? '' : '+'}${grown.toFixed(1)} MB`, reached: grown <= FLAT_MB },
  };
}
