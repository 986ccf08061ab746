import assert from 'node:assert/strict';
import { silence, type Pulse } from '../../../server-bridge/src/routing/pulse.ts';

const LIMITS = { first_token: 8_000, stall: 4_000 };
const pulse = (changes: Partial<Pulse>): Pulse => ({
  inFlight: 0,
  decoding: 0,
  movedAt: 0,
  running: undefined,
  engineStillMs: undefined,
  ...changes,
});

describe('routing: the progress heartbeat', () => {
  it('takes a backend for hung when streams wait for their next token and none comes', () => {
    assert.equal(silence(pulse({ inFlight: 3, decoding: 1 }), LIMITS, 3_900), undefined);
    assert.equal(
      silence(pulse({ inFlight: 3, decoding: 1 }), LIMITS, 4_000),
      'no token for 4 s while 3 requests run',
    );
  });

  it('waits as long as a first token may take while none has come, and gives one silent request the benefit', () => {
    assert.equal(silence(pulse({ inFlight: 2 }), LIMITS, 7_900), undefined);
    assert.match(silence(pulse({ inFlight: 2 }), LIMITS, 9_500) ?? '', /no token for 9.5 s while 2/);
    assert.equal(silence(pulse({ inFlight: 1 }), LIMITS, 60_000), undefined);
  });

  it('believes the engine’s own counters: they move while a long prompt is read', () => {
    assert.equal(silence(pulse({ inFlight: 5, engineStillMs: 2_000 }), LIMITS, 60_000), undefined);
    assert.equal(
      silence(pulse({ inFlight: 1, decoding: 1, engineStillMs: 2_000 }), LIMITS, 60_000),
      undefined,
    );
    assert.match(
      silence(pulse({ inFlight: 1, engineStillMs: 10_000 }), LIMITS, 60_000) ?? '',
      /10 s while 1/,
    );
  });

  it('sees others’ requests that the engine runs and doesn’t get on with', () => {
    assert.match(
      silence(pulse({ running: 1, engineStillMs: 9_000 }), LIMITS, 10_000) ?? '',
      /while 1 request runs/,
    );
    assert.equal(silence(pulse({ running: 0, engineStillMs: 9_000 }), LIMITS, 10_000), undefined);
  });
});
