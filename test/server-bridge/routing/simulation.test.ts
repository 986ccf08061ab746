/** Ten thousand schedules through the pure core. A failure names its seed: `HEARTH_SEED=N` runs that one alone. */
import assert from 'node:assert/strict';
import { env } from 'node:process';
import { simulate, type Report, type Scenario } from './simulation.ts';

const SCHEDULES = 10_000;
/** Worked off in slices, so that a failure to stop shows which. */
const SLICE = 1_000;

function scenarioOf(seed: number): Scenario {
  return { seed, faults: seed % 4 !== 0, swap: seed % 2 === 0 };
}

function run(seed: number): Report {
  try {
    return simulate(scenarioOf(seed));
  } catch (error) {
    (error as Error).message = `HEARTH_SEED=${seed}: ${(error as Error).message}`;
    throw error;
  }
}

describe('routing, simulated: one answer at the most, nobody lost, nobody starved, no breaker stuck', function () {
  this.timeout(60_000);
  const one = env.HEARTH_SEED;
  if (one !== undefined) {
    it(`seed ${one}`, () => void run(Number(one)));
    return;
  }
  const total: Report = { answered: 0, refused: 0, lost: 0, cancelled: 0 };
  for (let from = 0; from < SCHEDULES; from += SLICE)
    it(`schedules ${from} to ${from + SLICE - 1}`, () => {
      for (let seed = from; seed < from + SLICE; seed++)
        for (const [how, count] of Object.entries(run(seed))) total[how as keyof Report] += count;
    });
  it('and they show something: every way to end has come about thousands of times', () => {
    for (const [how, count] of Object.entries(total)) assert.ok(count > 1_000, `${how}: ${count}`);
  });
});
