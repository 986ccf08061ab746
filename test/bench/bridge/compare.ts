/** What an arm adds to the direct way, round by round, so that a slow round is compared with itself. */
import { spread, type Spread } from '../statistics.ts';
import type { ArmResults } from './measure-all.ts';
import type { PacedRound } from './measures/paced.ts';

export function added(arm: ArmResults, direct: ArmResults, of: (round: PacedRound) => number): Spread {
  return spread(
    arm.paced.flatMap((round, index) => {
      const beside = direct.paced[index];
      return beside === undefined ? [] : [of(round) - of(beside)];
    }),
  );
}

export const pacedCpu = (arm: ArmResults) => spread(arm.paced.map(({ cpuPer1000 }) => cpuPer1000));
export const fullCpu = (arm: ArmResults) => spread(arm.saturation.map(({ cpuPer1000 }) => cpuPer1000));
export const streamsPerSecond = (arm: ArmResults) =>
  spread(arm.saturation.map((round) => round.streamsPerSecond));
export const failures = ({ paced, saturation, memory }: ArmResults) =>
  [...paced, ...saturation, ...memory].reduce((sum, { failed }) => sum + failed, 0);

/** Cores that everything else on the machine took, over all rounds of all arms. */
export const othersCores = (arms: ArmResults[]) =>
  spread(
    arms.flatMap(({ paced, saturation }) => [...paced, ...saturation].map((round) => round.othersCores)),
  );
