import assert from 'node:assert/strict';
import { bridgeConfig, type GpuConfig } from '@hearth/protocol';
import fc from 'fast-check';
import {
  afterLoss,
  afterReading,
  COOL,
  staleHeat,
  staleness,
  type HeatState,
} from '../../../server-bridge/src/gpu/heat.ts';
import type { GpuReading } from '../../../server-bridge/src/gpu/reading.ts';
import { shown, type Known } from '../../../server-bridge/src/gpu/shown.ts';

const LIMITS = { hot_c: 85, critical_c: 92 };
const RTX: GpuConfig = { id: 'rtx6000', vendor: 'nvidia', memory_gb: 96, limits: LIMITS };
const RANK = { ok: 0, hot: 1, critical: 2 };

function reading(temperatureC: number | null, more: Partial<GpuReading> = {}): GpuReading {
  return {
    temperatureC,
    utilization: 0.5,
    memoryUsedMb: 1_000,
    memoryTotalMb: 97_887,
    powerW: 200,
    slowdown: null,
    fault: null,
    ...more,
  };
}

/** One reading every five seconds, from cool on. */
function course(temperatures: (number | null)[]): HeatState[] {
  let state = COOL;
  return temperatures.map(
    (celsius, index) => (state = afterReading(RTX, state, reading(celsius), index * 5_000)),
  );
}
const levels = (temperatures: (number | null)[]) => course(temperatures).map(({ heat }) => heat.level);

describe('gpu: heat', () => {
  it('rises at a limit and falls three degrees below it', () => {
    assert.deepEqual(levels([84, 85, 84, 83, 82, 84]), ['ok', 'hot', 'hot', 'hot', 'ok', 'ok']);
    assert.deepEqual(levels([92, 91, 90, 89, 83, 82]), [
      'critical',
      'critical',
      'critical',
      'hot',
      'hot',
      'ok',
    ]);
    assert.deepEqual(levels([40, 95, 40]), ['ok', 'critical', 'ok']);
  });

  it('has words for people', () => {
    const words = (temperatures: number[]) => course(temperatures).at(-1)?.heat.words;
    assert.equal(words([91]), 'rtx6000 is at 91 °C, over its limit of 85');
    assert.equal(words([85]), 'rtx6000 is at 85 °C, at its limit of 85');
    assert.equal(words([91, 83]), 'rtx6000 is at 83 °C, still within 3 °C of its limit of 85');
    assert.equal(words([95]), 'rtx6000 is at 95 °C, over its critical limit of 92');
    assert.equal(words([95, 90]), 'rtx6000 is at 90 °C, still within 3 °C of its critical limit of 92');
    assert.equal(words([60]), '');
  });

  it('an unknown temperature is never hot', () => {
    assert.deepEqual(levels([null, 95, null, 84]), ['ok', 'critical', 'ok', 'ok']);
  });

  it('a card that slows itself down is hot, and a while longer than it says so', () => {
    let state = afterReading(RTX, COOL, reading(78, { slowdown: 'hardware thermal slowdown' }), 0);
    assert.deepEqual(state.heat, {
      level: 'hot',
      words: 'rtx6000 slows itself down at 78 °C (hardware thermal slowdown)',
    });
    state = afterReading(RTX, state, reading(null), 29_000);
    assert.equal(state.heat.level, 'hot');
    state = afterReading(RTX, state, reading(78), 30_000);
    assert.equal(state.heat.level, 'ok');
  });

  it('a fault is critical at any temperature, and so is a loss; back again, the temperature alone decides', () => {
    const faulty = afterReading(RTX, COOL, reading(30, { fault: 'its driver asks for "Reset"' }), 0);
    assert.deepEqual(faulty.heat, {
      level: 'critical',
      words: 'rtx6000 is lost: its driver asks for "Reset"',
    });
    const lost = afterLoss(RTX, COOL, 'nvidia-smi lists no card with GPU-0000');
    assert.equal(lost.heat.words, 'rtx6000 is lost: nvidia-smi lists no card with GPU-0000');
    for (const before of [faulty, lost])
      assert.equal(afterReading(RTX, before, reading(84), 5_000).heat.level, 'ok');
  });

  it('by an old reading it stays, and says how old that is', () => {
    const hot = course([91]).at(-1)!.heat;
    assert.deepEqual(staleHeat(hot, staleness(29_999), 'nvidia-smi hangs'), hot);
    assert.deepEqual(staleHeat(hot, staleness(64_000), 'nvidia-smi hangs'), {
      level: 'hot',
      words: 'rtx6000 is at 91 °C, over its limit of 85 (60 s ago; since then nvidia-smi hangs)',
    });
    assert.deepEqual(
      [0, 29, 30, 59, 299, 301, 3_599, 3_600, 9_000].map((s) => staleness(s * 1_000)),
      [0, 0, 30, 30, 270, 300, 3_300, 3_600, 7_200],
    );
  });

  const celsius = fc.integer({ min: 20, max: 110 });

  it('a hotter reading never makes it cooler, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(celsius), celsius, celsius, (past, one, other) => {
        const before = course(past).at(-1) ?? COOL;
        const rank = (degrees: number) =>
          RANK[afterReading(RTX, before, reading(degrees), past.length * 5_000).heat.level];
        assert.ok(rank(Math.max(one, other)) >= rank(Math.min(one, other)));
      }),
    );
  });

  it('what wavers by less than three degrees changes the level at most once', () => {
    fc.assert(
      fc.property(celsius, fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 2 }), (base, steps) => {
        const seen = levels(steps.map((step) => base + step));
        const changes = seen.filter((level, index) => index > 0 && level !== seen[index - 1]);
        assert.ok(changes.length <= 1, seen.join(' '));
        // And that once is a rise.
        if (changes.length === 1) assert.ok(RANK[seen.at(-1)!] > RANK[seen[0]!]);
      }),
    );
  });

  it('a level is never left on the wrong side of its margin, and words come with every level but ok', () => {
    fc.assert(
      fc.property(fc.array(fc.option(celsius), { minLength: 1 }), (temperatures) => {
        course(temperatures).forEach(({ heat }, index) => {
          const degrees = temperatures[index] ?? null;
          assert.equal(heat.words === '', heat.level === 'ok');
          if (degrees === null || degrees <= LIMITS.hot_c - 3) assert.equal(heat.level, 'ok');
          else if (degrees >= LIMITS.critical_c) assert.equal(heat.level, 'critical');
          else if (degrees >= LIMITS.hot_c) assert.notEqual(heat.level, 'ok');
        });
      }),
    );
  });

  it('the configuration has limits where nothing is said', () => {
    const config = bridgeConfig.parse({
      gpus: [{ id: 'rtx6000', vendor: 'nvidia', memory_gb: 96 }],
      backends: [{ id: 'one', engine: 'embedded' }],
      models: [{ id: 'coder', backends: ['one'] }],
    });
    assert.deepEqual(config.gpus[0]?.limits, LIMITS);
  });
});

describe('gpu: in the status', () => {
  const known = (celsius: number, more: Partial<GpuReading> = {}, staleS = 0): Known => ({
    kind: 'watched',
    heat: { level: 'ok', words: '' },
    reading: reading(celsius, more),
    staleS,
    silence: 'nvidia-smi hangs',
  });

  it('stand whole readings, and nulls for what is not known', () => {
    assert.deepEqual(shown(RTX, known(64, { powerW: 412.53, utilization: null }), undefined), {
      id: 'rtx6000',
      vendor: 'nvidia',
      level: 'ok',
      reason: null,
      temperature_c: 64,
      memory_used_mb: 1_000,
      memory_total_mb: 97_887,
      utilization: null,
      power_w: 413,
      age_s: 0,
    });
    assert.deepEqual(shown(RTX, { kind: 'unwatched', reason: 'there is no nvidia-smi' }, undefined), {
      id: 'rtx6000',
      vendor: 'nvidia',
      level: 'unwatched',
      reason: 'there is no nvidia-smi',
      temperature_c: null,
      memory_used_mb: null,
      memory_total_mb: null,
      utilization: null,
      power_w: null,
      age_s: null,
    });
  });

  it('what wavers a little is no news; what creeps is, in the end; and so is every other level, reason and age', () => {
    const first = shown(RTX, known(64), undefined);
    const little = { powerW: 209, utilization: 0.41, memoryUsedMb: 1_255 };
    assert.equal(shown(RTX, known(65, little), first), first);
    assert.equal(shown(RTX, known(63, little), first), first);
    let entry = first;
    for (let degrees = 64; degrees <= 80; degrees++) entry = shown(RTX, known(degrees), entry);
    assert.equal(entry.temperature_c, 80);
    for (const more of [{ powerW: 211 }, { utilization: 0.7 }, { memoryUsedMb: 1_300 }, { powerW: null }])
      assert.notEqual(shown(RTX, known(64, more), first), first);
    const hot: Known = { ...known(64), heat: { level: 'hot', words: 'hot' } } as Known;
    assert.equal(shown(RTX, hot, first).reason, 'hot');
    const old = shown(RTX, known(64, {}, 30), first);
    assert.equal(old.reason, 'nothing was read of rtx6000 for 30 s: nvidia-smi hangs');
    assert.equal(old.age_s, 30);
  });
});
