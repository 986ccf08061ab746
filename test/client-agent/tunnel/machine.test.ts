/** The tunnel's state machine: examples of its life, and what must hold for every sequence of events. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { INITIAL, step, TIMING } from '../../../client-agent/src/tunnel/machine.ts';
import type { Effect, MachineState, TunnelEvent } from '../../../client-agent/src/tunnel/machine.ts';
import type { PeerReading, ProbeResult } from '../../../client-agent/src/tunnel/ports.ts';

const PROBLEM = { code: 'made_up', message: 'm', fix: 'f' };
const answered: ProbeResult = { kind: 'answered', rttMs: 4 };
const silent: ProbeResult = { kind: 'silent', reason: 'ECONNREFUSED' };
const peer = (rxBytes: number, latestHandshake: number | null = 1_000): PeerReading => ({
  kind: 'present',
  rxBytes,
  txBytes: 100,
  latestHandshake,
});

/** Feeds events one after the other; gives the last state and the effects of the last one. */
function play(...events: TunnelEvent[]): { state: MachineState; effects: Effect[] } {
  let last: { state: MachineState; effects: Effect[] } = { state: INITIAL, effects: [] };
  for (const event of events) last = step(last.state, event);
  return last;
}

const UP: TunnelEvent[] = [
  { kind: 'connect', at: 0 },
  { kind: 'raised', attempt: 1, at: 10 },
];
const measured = (at: number, reading: PeerReading, probe: ProbeResult): TunnelEvent => ({
  kind: 'measured',
  attempt: 1,
  at,
  peer: reading,
  probe,
});

describe('tunnel machine', () => {
  it('raises, measures, and is connected once bytes came in and the bridge answered', () => {
    assert.deepEqual(play({ kind: 'connect', at: 0 }).effects, [{ kind: 'raise', attempt: 1 }]);
    assert.deepEqual(play(...UP).effects, [{ kind: 'measure', attempt: 1 }]);
    const { state, effects } = play(...UP, measured(50, peer(300), answered));
    assert.equal(state.reported, 'connected');
    assert.equal(state.rttMs, 4);
    assert.deepEqual(effects, [{ kind: 'wait', ms: TIMING.connected }]);
  });

  it('does not believe an answer that brought no bytes through the tunnel', () => {
    const { state } = play(...UP, measured(TIMING.silence + 10, peer(0), answered));
    assert.equal(state.reported, 'reconnecting');
    assert.equal(state.problem?.code, 'bridge_outside_tunnel');
  });

  it('does not believe a handshake alone', () => {
    const { state } = play(...UP, measured(50, peer(92), silent));
    assert.equal(state.reported, 'connecting');
    assert.equal(state.problem?.code, 'bridge_unreachable');
  });

  it('names a missing handshake after 15 s, and keeps trying', () => {
    const early = play(...UP, measured(TIMING.silence - 1, peer(0, null), silent));
    assert.equal(early.state.reported, 'connecting');
    assert.equal(early.state.problem, null);
    const late = step(early.state, measured(TIMING.silence + 10, peer(0, null), silent));
    assert.equal(late.state.reported, 'reconnecting');
    assert.equal(late.state.problem?.code, 'no_handshake');
    assert.ok(late.effects.some(({ kind }) => kind === 'wait'));
  });

  it('goes from connected to degraded at the first silence, to reconnecting after 15 s, and heals', () => {
    const connected = [...UP, measured(50, peer(300), answered)];
    const degraded = play(...connected, measured(6_000, peer(300), silent));
    assert.equal(degraded.state.reported, 'degraded');
    assert.equal(degraded.state.problem?.code, 'tunnel_silent');
    assert.deepEqual(degraded.effects[0], { kind: 'reset_endpoint' });
    const lost = step(degraded.state, measured(50 + TIMING.silence, peer(300), silent));
    assert.equal(lost.state.reported, 'reconnecting');
    const healed = step(lost.state, measured(30_000, peer(400), answered));
    assert.equal(healed.state.reported, 'connected');
    assert.equal(healed.state.problem, null);
  });

  it('stays degraded while bytes come but the bridge does not answer', () => {
    const { state, effects } = play(
      ...UP,
      measured(50, peer(300), answered),
      measured(10_000, peer(400), silent),
      measured(60_000, peer(500), silent),
    );
    assert.equal(state.reported, 'degraded');
    assert.equal(state.problem?.code, 'bridge_unreachable');
    assert.ok(!effects.some(({ kind }) => kind === 'reset_endpoint'));
  });

  it('makes the interface again when it has gone', () => {
    const { state, effects } = play(...UP, measured(50, { kind: 'absent' }, silent));
    assert.equal(state.reported, 'reconnecting');
    assert.deepEqual(effects, [{ kind: 'raise', attempt: 2 }]);
  });

  it('gives up where only a person can help, and retries otherwise', () => {
    const failed = (retry: boolean): TunnelEvent => ({
      kind: 'raise_failed',
      attempt: 1,
      problem: PROBLEM,
      retry,
      at: 5,
    });
    const given = play({ kind: 'connect', at: 0 }, failed(false));
    assert.deepEqual(
      [given.state.reported, given.state.problem, given.effects],
      ['disconnected', PROBLEM, []],
    );
    const again = play({ kind: 'connect', at: 0 }, failed(true), { kind: 'timer', at: 5_005 });
    assert.equal(again.state.reported, 'reconnecting');
    assert.deepEqual(again.effects, [{ kind: 'raise', attempt: 2 }]);
  });

  it('takes the link down for another profile without saying disconnected', () => {
    const asked = play(...UP, measured(50, peer(300), answered), { kind: 'replace', at: 60 });
    assert.deepEqual(
      [asked.state.reported, asked.state.link, asked.effects],
      ['connecting', 'lowering', [{ kind: 'lower' }]],
    );
    assert.deepEqual(step(asked.state, { kind: 'lowered', at: 70 }).effects, [{ kind: 'raise', attempt: 2 }]);
    const waiting = play(
      { kind: 'connect', at: 0 },
      { kind: 'raise_failed', attempt: 1, problem: PROBLEM, retry: true, at: 5 },
      { kind: 'replace', at: 6 },
    );
    assert.deepEqual(waiting.effects, [{ kind: 'raise', attempt: 2 }]);
  });

  it('waits for the interface to go before it makes the next', () => {
    const asked = play(...UP, { kind: 'disconnect', at: 20 }, { kind: 'connect', at: 30 });
    assert.deepEqual([asked.state.reported, asked.effects], ['connecting', []]);
    assert.deepEqual(step(asked.state, { kind: 'lowered', at: 40 }).effects, [{ kind: 'raise', attempt: 2 }]);
  });
});

const attempt = fc.integer({ min: 0, max: 6 });
const reading: fc.Arbitrary<PeerReading> = fc.oneof(
  fc.constant({ kind: 'absent' as const }),
  fc.constant({ kind: 'unreadable' as const, problem: PROBLEM }),
  fc.record({
    kind: fc.constant('present' as const),
    rxBytes: fc.nat(500),
    txBytes: fc.nat(500),
    latestHandshake: fc.option(fc.nat()),
  }),
);
const probe = fc.constantFrom(answered, silent);
type Unstamped<E = TunnelEvent> = E extends TunnelEvent ? Omit<E, 'at'> : never;
const anyEvent: fc.Arbitrary<Unstamped> = fc.oneof(
  fc.constant({ kind: 'connect' as const }),
  fc.constant({ kind: 'replace' as const }),
  fc.constant({ kind: 'disconnect' as const }),
  fc.constant({ kind: 'lowered' as const }),
  fc.constant({ kind: 'timer' as const }),
  fc.record({ kind: fc.constant('lower_failed' as const), problem: fc.constant(PROBLEM) }),
  fc.record({ kind: fc.constant('raised' as const), attempt }),
  fc.record({
    kind: fc.constant('raise_failed' as const),
    attempt,
    problem: fc.constant(PROBLEM),
    retry: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('measured' as const), attempt, peer: reading, probe }),
);
const history = fc.array(fc.tuple(anyEvent, fc.nat(8_000)), { maxLength: 60 });

/** Walks a history and shows each step to `check`. */
function walk(
  events: [Unstamped, number][],
  check: (before: MachineState, event: TunnelEvent, after: MachineState, effects: Effect[]) => void,
): MachineState {
  let state = INITIAL;
  let at = 0;
  for (const [unstamped, gap] of events) {
    at += gap;
    const event: TunnelEvent = { ...unstamped, at };
    const next = step(state, event);
    check(state, event, next.state, next.effects);
    state = next.state;
  }
  return state;
}

describe('tunnel machine, for every history', () => {
  it('reports connected only by a measurement with bytes and an answer, and with no problem', () => {
    fc.assert(
      fc.property(history, (events) => {
        walk(events, (before, event, after) => {
          if (after.reported !== 'connected') return;
          assert.equal(after.link, 'up');
          assert.equal(after.problem, null);
          if (before.reported === 'connected') return;
          assert.ok(event.kind === 'measured' && event.probe.kind === 'answered');
          assert.ok(event.peer.kind === 'present' && event.peer.rxBytes > (before.peer?.rxBytes ?? 0));
        });
      }),
    );
  });

  it('ends with the interface down after a disconnect, however the rest comes in', () => {
    fc.assert(
      fc.property(history, history, (events, rest) => {
        const before = walk(events, () => {});
        let { state } = step(before, { kind: 'disconnect', at: 1e9 });
        for (const [event] of rest) {
          if (event.kind === 'connect' || event.kind === 'replace') continue;
          const next = step(state, { ...event, at: 1e9 });
          assert.ok(!next.effects.some(({ kind }) => kind === 'raise' || kind === 'measure'));
          assert.equal(next.state.reported, 'disconnected');
          state = next.state;
        }
        assert.equal(step(state, { kind: 'lowered', at: 1e9 }).state.link, 'down');
      }),
    );
  });

  it('has well-formed effects: raise and lower only from the right link, one of them at a time', () => {
    fc.assert(
      fc.property(history, (events) => {
        walk(events, (before, event, after, effects) => {
          const kinds = effects.map(({ kind }) => kind);
          assert.equal(new Set(kinds).size, kinds.length);
          if (kinds.includes('raise')) {
            const gone = event.kind === 'measured' && event.peer.kind === 'absent';
            assert.ok(before.link === 'down' || before.link === 'lowering' || gone);
            assert.ok(before.link !== 'lowering' || event.kind === 'lowered');
            assert.equal(after.attempt, before.attempt + 1);
            assert.ok(after.wanted);
          }
          if (kinds.includes('lower')) assert.equal(after.link, 'lowering');
          if (kinds.includes('measure') || kinds.includes('reset_endpoint')) assert.equal(after.link, 'up');
          for (const effect of effects) if (effect.kind === 'wait') assert.ok(effect.ms > 0);
        });
      }),
    );
  });

  it('is never left without a next step while a tunnel is wanted', () => {
    fc.assert(
      fc.property(history, (events) => {
        walk(events, (before, _event, after, effects) => {
          if (!after.wanted || after.link !== 'up' || effects.length === 0) return;
          assert.ok(effects.some(({ kind }) => kind === 'wait' || kind === 'measure'));
          assert.ok(before.link === 'up' || before.link === 'raising');
        });
      }),
    );
  });
});
