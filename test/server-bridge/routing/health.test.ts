import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  nextHealth,
  stateOf,
  UNKNOWN,
  wantsProof,
  type Health,
  type HealthEvent,
} from '../../../server-bridge/src/routing/health.ts';

const GONE: HealthEvent = { kind: 'gone', reason: 'refused' };
const FAILED: HealthEvent = { kind: 'failed', reason: 'slow' };
const HUNG: HealthEvent = { kind: 'hung', reason: 'no token for 4 s' };
const UNSOUND: HealthEvent = { kind: 'unsound', reason: 'it says "!!!!"' };

/** Each event at its time; without a time a second after the one before. */
function after(events: HealthEvent[], start: Health = UNKNOWN, chance = 0.5): Health {
  return events.reduce((health, event, index) => nextHealth(health, event, index * 1_000, chance), start);
}

const anyEvent = fc.constantFrom<HealthEvent>(
  { kind: 'reachable' },
  { kind: 'answered' },
  { kind: 'progressed' },
  { kind: 'restarted' },
  { kind: 'proved' },
  { kind: 'stopped', reason: 'no model lists it' },
  GONE,
  FAILED,
  HUNG,
  UNSOUND,
);

describe('routing: health', () => {
  it('serves only after its canary, at the start and after every time it was gone', () => {
    assert.equal(stateOf(after([{ kind: 'reachable' }])), 'suspect');
    assert.ok(wantsProof(after([{ kind: 'reachable' }])));
    assert.equal(after([{ kind: 'reachable' }, { kind: 'proved' }]).phase, 'serving');
    const back = after([{ kind: 'proved' }, GONE, { kind: 'reachable' }]);
    assert.equal(back.phase, 'unproven');
    assert.equal(after([{ kind: 'proved' }, { kind: 'restarted' }]).phase, 'unproven');
  });

  it('forgives one failure, breaks at two in a row, and at once when nothing moves', () => {
    assert.equal(stateOf(after([{ kind: 'proved' }, FAILED])), 'suspect');
    assert.equal(stateOf(after([{ kind: 'proved' }, FAILED, { kind: 'answered' }])), 'up');
    assert.equal(stateOf(after([{ kind: 'proved' }, FAILED, FAILED])), 'down');
    assert.equal(stateOf(after([{ kind: 'proved' }, HUNG])), 'down');
  });

  it('is tried again by one canary after a back-off that grows and has jitter, and not before', () => {
    let health = after([{ kind: 'proved' }]);
    let now = 0;
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      health = nextHealth(health, HUNG, now, 0);
      waits.push(health.retryAt - now);
      assert.equal(nextHealth(health, { kind: 'reachable' }, health.retryAt - 1, 0).phase, 'broken');
      now = health.retryAt;
      health = nextHealth(health, { kind: 'reachable' }, now, 0);
      assert.ok(wantsProof(health));
    }
    assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    assert.equal(nextHealth(after([{ kind: 'proved' }]), HUNG, 0, 1).retryAt, 1_000);
    // Once it has served well the next break starts small again.
    const well = after([{ kind: 'proved' }, { kind: 'answered' }], health);
    assert.equal(nextHealth(well, HUNG, 0, 0).retryAt, 500);
  });

  it('believes a passing success of a slow backend, and never one that talks nonsense', () => {
    assert.equal(after([{ kind: 'proved' }, HUNG, { kind: 'answered' }]).phase, 'serving');
    assert.equal(after([UNSOUND, { kind: 'answered' }]).phase, 'broken');
    assert.equal(after([UNSOUND, { kind: 'answered' }, { kind: 'proved' }]).phase, 'serving');
  });

  it('of one that is not to run stays "stopped" until something answers there', () => {
    const stopped = after([{ kind: 'stopped', reason: 'no model lists it' }, GONE, FAILED, HUNG]);
    assert.deepEqual([stateOf(stopped), stopped.reason], ['stopped', 'no model lists it']);
    assert.equal(after([{ kind: 'reachable' }], stopped).phase, 'unproven');
  });

  it('always says why it is not up, and recovers from whatever has happened', () => {
    fc.assert(
      fc.property(fc.array(anyEvent), fc.double({ min: 0, max: 1, noNaN: true }), (events, chance) => {
        let health = UNKNOWN;
        events.forEach((event, index) => {
          const before = health;
          health = nextHealth(health, event, index * 700, chance);
          assert.equal(health.reason === null, stateOf(health) === 'up');
          if (health.phase === 'serving')
            assert.ok(
              before.phase === 'serving' || ['proved', 'progressed', 'answered'].includes(event.kind),
            );
        });
        const later = Math.max(health.retryAt, events.length * 700);
        health = nextHealth(health, { kind: 'reachable' }, later, chance);
        if (wantsProof(health)) health = nextHealth(health, { kind: 'proved' }, later, chance);
        assert.equal(health.phase, 'serving');
      }),
    );
  });
});
