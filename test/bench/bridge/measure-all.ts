/** One run: every arm through every measure, in turn, round after round, so that a slow minute hits them all. */
import type { Arm } from './arms/arm.ts';
import { cancel, type Cancelled } from './measures/cancel.ts';
import { cut, type CutSeen } from './measures/cut.ts';
import { memory, type MemoryLevel } from './measures/memory.ts';
import { paced, type PacedRound } from './measures/paced.ts';
import { recovery, type Recovery } from './measures/recovery.ts';
import { saturation, type SaturationRound } from './measures/saturation.ts';
import { setStage, type Player, type Stage } from './stage.ts';

export interface ArmResults {
  name: string;
  description: string;
  paced: PacedRound[];
  saturation: SaturationRound[];
  memory: MemoryLevel[];
  cancel: { midStream: Cancelled; beforeFirst: Cancelled };
  cut: CutSeen;
}

export interface BridgeResults {
  arms: ArmResults[];
  leftOut: { name: string; reason: string }[];
  /** Of the bridges. */
  recovery: { name: string; times: Recovery[] }[];
}

interface Plan {
  rounds: number;
  paced: { warmMs: number; ms: number };
  saturation: { warmMs: number; ms: number };
  memoryMs: number;
  cancel: { count: number; waitMs: number };
  recoveries: number;
}

/** Five and a half minutes with every arm. */
const FULL: Plan = {
  rounds: 5,
  paced: { warmMs: 1_000, ms: 5_000 },
  saturation: { warmMs: 500, ms: 3_000 },
  memoryMs: 3_000,
  cancel: { count: 20, waitMs: 2_000 },
  recoveries: 3,
};
const QUICK: Plan = {
  rounds: 1,
  paced: { warmMs: 1_000, ms: 3_000 },
  saturation: { warmMs: 500, ms: 1_500 },
  memoryMs: 1_000,
  cancel: { count: 10, waitMs: 600 },
  recoveries: 1,
};
const MEMORY_LEVELS = [1, 64, 256];

export async function measureAll(
  arms: Arm[],
  options: { quick: boolean; rounds: number | undefined },
  say: (line: string) => void,
): Promise<BridgeResults> {
  const plan = options.quick ? QUICK : FULL;
  const rounds = options.rounds ?? plan.rounds;
  await using stage = await setStage(arms, say);

  const results = new Map<Player, ArmResults>();
  for (const player of stage.players) {
    say(`${player.name}: memory, cancelling, a cut stream`);
    results.set(player, await once(stage, player, plan));
  }
  for (let round = 0; round < rounds; round++) {
    // Another arm begins each round, so that none always follows the same.
    const order = [...results.entries()];
    order.push(...order.splice(0, round % order.length));
    for (const [player, arm] of order) {
      say(`${player.name}: round ${round + 1} of ${rounds}`);
      arm.paced.push(await paced(stage, player, plan.paced.warmMs, plan.paced.ms));
      arm.saturation.push(await saturation(stage, player, plan.saturation.warmMs, plan.saturation.ms));
    }
  }
  const recoveries: BridgeResults['recovery'] = [];
  for (const arm of arms.filter(({ ours }) => ours)) {
    say(`${arm.name}: recovery`);
    const folder = await stage.folder(`${arm.name}-recovery`);
    recoveries.push({ name: arm.name, times: await recovery(arm, folder, plan.recoveries) });
  }
  return { arms: [...results.values()], leftOut: stage.leftOut, recovery: recoveries };
}

/** What doesn't need rounds. Memory first: what a process has once grown to it seldom gives back. */
async function once(stage: Stage, player: Player, plan: Plan): Promise<ArmResults> {
  const levels: MemoryLevel[] = [];
  if (player.pids().length > 0)
    for (const level of MEMORY_LEVELS) levels.push(await memory(stage, player, level, plan.memoryMs));
  const { count, waitMs } = plan.cancel;
  return {
    name: player.name,
    description: player.description,
    paced: [],
    saturation: [],
    memory: levels,
    cancel: {
      midStream: await cancel(stage, player, 'midStream', count, waitMs),
      beforeFirst: await cancel(stage, player, 'beforeFirst', count, waitMs),
    },
    cut: await cut(player),
  };
}
