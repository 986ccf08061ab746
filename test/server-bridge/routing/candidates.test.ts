import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  route,
  type Route,
  type RoutingTable,
  type Wish,
} from '../../../server-bridge/src/routing/candidates.ts';
import { nextHealth, UNKNOWN } from '../../../server-bridge/src/routing/health.ts';
import type { Standing } from '../../../server-bridge/src/routing/standing.ts';
import { serving } from './standings.ts';

const PHASES = ['unproven', 'serving', 'broken', 'stopped'] as const;

function tableOf(changes: Partial<Record<'rtx' | 'amd' | 'talker', (standing: Standing) => void>> = {}) {
  const backends = [
    serving({ id: 'rtx', context: 1_000, max_concurrency: 4 }),
    serving({ id: 'amd', engine: 'llamacpp', context: 300 }),
    serving({ id: 'talker', engine: 'openai', serves: ['chat'], context: 1_000 }),
  ];
  for (const backend of backends) changes[backend.id as 'rtx']?.(backend);
  const table: RoutingTable = {
    backends,
    models: [
      { id: 'chatty', backends: ['talker', 'amd'] },
      { id: 'coder', backends: ['rtx', 'amd', 'talker'] },
    ],
    defaults: { completion: 'coder' },
  };
  return table;
}

const wish = (changes: Partial<Wish> = {}): Wish => ({
  model: 'coder',
  role: 'completion',
  fim: true,
  bytes: 0,
  answerTokens: 0,
  ...changes,
});

function routed(
  changes: Partial<Wish> = {},
  table: RoutingTable = tableOf(),
  tried?: ReadonlyMap<string, string>,
): Route & { kind: 'route' } {
  const found = route(table, wish(changes), tried);
  assert.ok(found.kind === 'route');
  return found;
}

const idsOf = (found: Route & { kind: 'route' }) => found.candidates.map((one) => one.backend.id);
const reasonFor = (found: Route & { kind: 'route' }, id: string) =>
  found.passedOver.find((one) => one.backend === id)?.reason ?? '';

describe('routing: candidates', () => {
  it("are the model's backends in order, those that serve the role and know the format", () => {
    assert.deepEqual(idsOf(routed()), ['rtx', 'amd']);
    assert.deepEqual(idsOf(routed({ role: 'chat', fim: false })), ['rtx', 'amd', 'talker']);
    assert.deepEqual(
      routed({ role: 'chat', fim: false }).candidates.map(({ fallback, reason }) => [fallback, reason]),
      [
        [false, 'preferred'],
        [true, 'fallback 1'],
        [true, 'fallback 2'],
      ],
    );
  });

  it('of "auto" and of no model are those of the default; without one, of the first model that serves it', () => {
    assert.deepEqual(idsOf(routed({ model: 'auto' })), ['rtx', 'amd']);
    assert.deepEqual(idsOf(routed({ model: undefined, role: 'chat', fim: false })), ['talker', 'amd']);
  });

  it('of a backend’s id are that backend alone', () => {
    assert.deepEqual(idsOf(routed({ model: 'amd' })), ['amd']);
  });

  it('of an unknown model are none, with what is known', () => {
    assert.deepEqual(route(tableOf(), wish({ model: 'gpt' })), {
      kind: 'unknown_model',
      asked: 'gpt',
      known: ['auto', 'chatty', 'coder', 'rtx', 'amd', 'talker'],
    });
  });

  it('leave out whoever is down, drained, too hot, unproven, or has failed this request, each with its reason', () => {
    const table = tableOf({
      rtx: (rtx) => {
        rtx.health = nextHealth(UNKNOWN, { kind: 'gone', reason: 'the connection was refused' }, 0, 0);
      },
      amd: (amd) => {
        amd.cordoned = 'it is drained';
      },
    });
    const found = routed({ role: 'chat', fim: false }, table, new Map([['talker', 'it answered 500']]));
    assert.deepEqual(found.passedOver, [
      { backend: 'rtx', reason: 'down: the connection was refused' },
      { backend: 'amd', reason: 'draining: it is drained' },
      { backend: 'talker', reason: 'it answered 500' },
    ]);

    const hot = tableOf({
      rtx: (rtx) => {
        rtx.heat = { level: 'critical', words: 'rtx6000 is at 95 °C' };
      },
      amd: (amd) => {
        amd.health = UNKNOWN;
      },
    });
    const waiting = routed({}, hot);
    assert.equal(reasonFor(waiting, 'rtx'), 'rtx6000 is at 95 °C');
    assert.equal(reasonFor(waiting, 'amd'), 'not checked yet');
    assert.ok(waiting.soon, 'a backend that is about to prove itself is worth waiting for');
  });

  it('put whoever is strained last: hot, its KV cache full, a queue inside its engine', () => {
    const strains: ((rtx: Standing) => void)[] = [
      (rtx) => (rtx.heat = { level: 'hot', words: 'rtx6000 is at 88 °C' }),
      (rtx) => (rtx.load = { running: 4, waiting: 0, kvUse: 0.97 }),
      (rtx) => (rtx.load = { running: 4, waiting: 4, kvUse: 0.5 }),
    ];
    for (const rtx of strains) {
      const found = routed({}, tableOf({ rtx }));
      assert.deepEqual(idsOf(found), ['amd', 'rtx']);
      assert.match(found.candidates[1]?.reason ?? '', /^last, since (rtx6000 is|its KV|4 requests wait)/);
      assert.deepEqual(
        found.candidates.map((one) => one.fallback),
        [true, false],
      );
    }
  });

  it('leave out a context that is too small; if that is all there is against them, the request is too long', () => {
    assert.deepEqual(idsOf(routed({ bytes: 1_200, answerTokens: 100 })), ['rtx']);
    const over = routed({ bytes: 12_000 });
    assert.ok(over.tooLong);
    assert.match(reasonFor(over, 'rtx'), /at least 2667 tokens are needed, and its context is 1000/);
    assert.ok(!routed({ bytes: 12_000, role: 'embedding' }).tooLong);
  });

  it('leave out whoever fills in the middle wrongly, for that alone', () => {
    const table = tableOf({
      rtx: (rtx) => {
        rtx.fimFault = 'it has a Markdown code fence';
      },
    });
    assert.deepEqual(idsOf(routed({}, table)), ['amd']);
    assert.deepEqual(idsOf(routed({ fim: false }, table)), ['rtx', 'amd']);
  });

  it('and the passed over, each with a reason, are together the model’s backends, whatever their state', () => {
    const anyState = fc.record({
      phase: fc.constantFrom(...PHASES),
      reason: fc.option(fc.string({ minLength: 1 })),
      cordoned: fc.option(fc.string({ minLength: 1 })),
      heat: fc.constantFrom<'ok' | 'hot' | 'critical'>('ok', 'hot', 'critical'),
      kvUse: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    });
    fc.assert(
      fc.property(anyState, anyState, anyState, fc.nat(5_000), (rtx, amd, talker, bytes) => {
        const states = { rtx, amd, talker };
        const table = tableOf();
        for (const backend of table.backends) {
          const { phase, reason, cordoned, heat, kvUse } = states[backend.id as 'rtx'];
          backend.health = { ...UNKNOWN, phase, reason };
          backend.cordoned = cordoned;
          backend.heat = { level: heat, words: `at ${heat}` };
          backend.load = { running: undefined, waiting: undefined, kvUse };
        }
        const found = routed({ role: 'chat', fim: false, bytes }, table);
        const all = [...idsOf(found), ...found.passedOver.map((one) => one.backend)];
        assert.deepEqual(all.toSorted(), ['amd', 'rtx', 'talker']);
        for (const { backend, fallback, reason } of found.candidates) {
          const { phase, cordoned, heat } = states[backend.id as 'rtx'];
          assert.deepEqual([phase, cordoned], ['serving', null]);
          assert.notEqual(heat, 'critical');
          assert.equal(fallback, backend.id !== 'rtx');
          assert.notEqual(reason, '');
        }
        for (const { reason } of found.passedOver) assert.notEqual(reason, '');
      }),
    );
  });
});
