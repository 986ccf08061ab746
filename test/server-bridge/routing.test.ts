import assert from 'node:assert/strict';
import { bridgeConfig } from '@hearth/protocol';
import fc from 'fast-check';
import { route, type Wish } from '../../server-bridge/src/routing/candidates.ts';
import {
  nextHealth,
  UNKNOWN,
  type Health,
  type HealthEvent,
} from '../../server-bridge/src/routing/health.ts';
import { Slots } from '../../server-bridge/src/routing/slots.ts';

const table = bridgeConfig.parse({
  auth: { mode: 'none' },
  backends: [
    { id: 'rtx', engine: 'vllm', url: 'http://127.0.0.1:1', model: 'm', fim: 'qwen' },
    { id: 'amd', engine: 'llamacpp', url: 'http://127.0.0.1:2', model: 'm', fim: 'qwen' },
    { id: 'talker', engine: 'openai', url: 'http://127.0.0.1:3', model: 'm', serves: ['chat'] },
  ],
  models: [
    { id: 'chatty', backends: ['talker', 'amd'] },
    { id: 'coder', backends: ['rtx', 'amd', 'talker'] },
  ],
  defaults: { completion: 'coder' },
});
const wish = (changes: Partial<Wish>): Wish => ({
  model: undefined,
  role: 'completion',
  fim: true,
  ...changes,
});
const healthy = (): Health => ({ ...UNKNOWN, state: 'up', reason: null });

describe('routing: candidates', () => {
  const idsOf = (asked: Partial<Wish>, health: (id: string) => Health = healthy) => {
    const found = route(table, wish(asked), health);
    assert.equal(found.kind, 'route');
    return found.kind === 'route' ? found.candidates.map((one) => one.backend.id) : [];
  };

  it("are the model's backends in order, those that serve the role and know the format", () => {
    assert.deepEqual(idsOf({ model: 'coder' }), ['rtx', 'amd']);
    assert.deepEqual(idsOf({ model: 'coder', role: 'chat', fim: false }), ['rtx', 'amd', 'talker']);
  });

  it('of "auto" and of no model are those of the default; without one, of the first model that serves it', () => {
    assert.deepEqual(idsOf({ model: 'auto' }), ['rtx', 'amd']);
    assert.deepEqual(idsOf({ role: 'chat', fim: false }), ['talker', 'amd']);
  });

  it('of a backend’s id are that backend alone', () => {
    assert.deepEqual(idsOf({ model: 'amd' }), ['amd']);
  });

  it('of an unknown model are none, with what is known', () => {
    const found = route(table, wish({ model: 'gpt' }), healthy);
    assert.deepEqual(found, {
      kind: 'unknown_model',
      asked: 'gpt',
      known: ['auto', 'chatty', 'coder', 'rtx', 'amd', 'talker'],
    });
  });

  it('and the passed over, each with a reason, are together the model’s backends (any health)', () => {
    const anyHealth = fc.record({
      state: fc.constantFrom('up', 'suspect', 'down', 'draining', 'stopped'),
      reason: fc.option(fc.string()),
      failures: fc.nat(),
      lastError: fc.constant(null),
    });
    fc.assert(
      fc.property(anyHealth, anyHealth, anyHealth, (rtx, amd, talker) => {
        const health: Record<string, unknown> = { rtx, amd, talker };
        const found = route(table, wish({ model: 'coder' }), (id) => health[id] as Health);
        assert.ok(found.kind === 'route');
        const all = [
          ...found.candidates.map((one) => one.backend.id),
          ...found.passedOver.map((one) => one.backend),
        ];
        assert.deepEqual(all.toSorted(), ['amd', 'rtx', 'talker']);
        for (const { backend, fallback } of found.candidates) {
          assert.ok(['up', 'suspect'].includes((health[backend.id] as Health).state));
          assert.equal(fallback, backend.id !== 'rtx');
        }
        for (const { reason } of found.passedOver) assert.notEqual(reason, '');
      }),
    );
  });
});

describe('routing: health', () => {
  const events = fc.array(
    fc.constantFrom<HealthEvent>(
      { kind: 'ok' },
      { kind: 'gone', reason: 'refused' },
      { kind: 'failed', reason: 'slow' },
    ),
  );

  it('is up after an answer, down after it went or failed twice, and always says why it is not up', () => {
    fc.assert(
      fc.property(events, (list) => {
        const end = list.reduce(nextHealth, UNKNOWN);
        const last = list.at(-1)?.kind;
        if (last === 'ok') assert.equal(end.state, 'up');
        if (last === 'gone') assert.equal(end.state, 'down');
        if (last === 'failed')
          assert.equal(end.state, list.length > 1 && list.at(-2)?.kind !== 'ok' ? 'down' : 'suspect');
        assert.equal(end.reason === null, end.state === 'up');
      }),
    );
  });
});

interface Place {
  abort: AbortController;
  release?: () => void;
  gone?: boolean;
}

async function place(slots: Slots, one: Place): Promise<void> {
  try {
    one.release = await slots.take(one.abort.signal);
  } catch {
    one.gone = true;
  }
}

describe('routing: places', () => {
  it('are never more than there are, go in order, and all come back, whoever leaves when', async () => {
    const steps = fc.array(fc.tuple(fc.constantFrom('take', 'give', 'abort'), fc.nat(20)), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (capacity, list) => {
        const slots = new Slots(capacity);
        const asked: Place[] = [];
        for (const [step, which] of list) {
          if (step === 'take') {
            const one: Place = { abort: new AbortController() };
            asked.push(one);
            void place(slots, one);
          } else if (step === 'give') asked[which]?.release?.();
          else asked[which]?.abort.abort();
          await new Promise(setImmediate);
          assert.ok(slots.inFlight <= capacity);
          assert.ok(slots.queued === 0 || slots.inFlight === capacity);
          const waiting = asked.map((one) => one.release === undefined && one.gone !== true);
          assert.equal(slots.queued, waiting.filter(Boolean).length);
        }
        for (const one of asked) {
          one.abort.abort();
          await new Promise(setImmediate);
          one.release?.();
          one.release?.();
        }
        await new Promise(setImmediate);
        for (const one of asked) one.release?.();
        assert.deepEqual([slots.inFlight, slots.queued], [0, 0]);
      }),
      { numRuns: 50 },
    );
  });
});
