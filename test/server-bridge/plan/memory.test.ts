import assert from 'node:assert/strict';
import fc from 'fast-check';
import { entryById, CATALOGUE } from '../../../server-bridge/src/models/catalogue/match.ts';
import { QUANTISATIONS, quantisation } from '../../../server-bridge/src/models/catalogue/quantisations.ts';
import { GIB } from '../../../server-bridge/src/models/plan/assumptions.ts';
import { pagedCache, slotCache } from '../../../server-bridge/src/models/plan/kv-cache.ts';
import {
  fitTogether,
  memoryNeeded,
  offloadOf,
  usableBytes,
} from '../../../server-bridge/src/models/plan/memory-needed.ts';
import { need, settingOf, type LocalEngine } from '../../../server-bridge/src/models/plan/need.ts';
import { leastOffload } from '../../../server-bridge/src/models/plan/offload.ts';
import { planServer } from '../../../server-bridge/src/models/plan/plan.ts';
import { fileWeights } from '../../../server-bridge/src/models/plan/weights.ts';
import { backend, card } from './backends.ts';

const model = (id: string) => {
  const entry = entryById(id);
  assert.ok(entry !== undefined);
  return entry;
};
const F16 = { name: 'F16', bytes: 2 };
const MIB = 2 ** 20;

describe('memory, against what engines said themselves', () => {
  it('gpt-oss-120b in llama-server: 9216 MiB and 90 MiB of cache (ollama#16480: 2 x 131,072, -ub 1024)', () => {
    const { terms } = slotCache(
      model('gpt-oss-120b').architecture,
      { context: 131_072, slots: 2, ubatch: 1_024 },
      F16,
    );
    assert.deepEqual(
      terms.map((term) => [term.name, term.bytes / MIB]),
      [
        ['KV cache', 9_216],
        ['KV windows', 90],
      ],
    );
  });

  it('published sizes and parameters times bits agree within 8 %', () => {
    for (const entry of CATALOGUE)
      for (const [name, { bytes }] of Object.entries(entry.published)) {
        const computed = fileWeights({ ...entry, published: {} }, quantisation(name)).bytes;
        // Two files differ more, and are known: Qwen's own 1.5B has the shared matrix twice.
        const limit = entry.id === 'qwen2.5-coder-1.5b' ? 0.2 : 0.08;
        assert.ok(Math.abs(computed / bytes - 1) < limit, `${entry.id} ${name}: ${computed} and ${bytes}`);
      }
  });

  it('gpt-oss-120b does not start on an 80 GB card at 0.9 (vllm#23278)', () => {
    const asked = settingOf(backend({ model: 'openai/gpt-oss-120b', context: 131_072, max_concurrency: 1 }));
    assert.ok(asked !== undefined);
    assert.ok(need(asked).bytes > 0.9 * 79.1 * GIB);
  });

  it('Qwen3-Coder 30B FP8 and gpt-oss-120b do not share 96 GB', () => {
    const both = [
      backend({
        id: 'a',
        model: 'Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8',
        context: 32_768,
        max_concurrency: 1,
      }),
      backend({ id: 'b', model: 'openai/gpt-oss-120b', context: 32_768, max_concurrency: 1 }),
    ];
    assert.equal(fitTogether(both, card('rtx6000', 96)), 'no');
  });

  it('a token of Qwen3-Coder takes 48 KiB in 8 bits, and 12 KiB of Qwen3-Coder-Next', () => {
    const size = { context: 1_024, concurrency: 1 };
    const fp8 = { name: 'fp8', bytes: 1 };
    assert.equal(pagedCache(model('qwen3-coder-30b-a3b').architecture, size, fp8).perToken, 48 * 1_024);
    assert.equal(pagedCache(model('qwen3-coder-next').architecture, size, fp8).perToken, 12 * 1_024);
  });
});

describe('memory, whatever is asked', () => {
  const anyModel = fc.constantFrom(...CATALOGUE);
  const anyEngine = fc.constantFrom<LocalEngine>('vllm', 'llamacpp', 'trtllm', 'embedded');
  const anyQuantisation = fc.constantFrom(...QUANTISATIONS);
  const context = fc.integer({ min: 1, max: 300_000 });
  const concurrency = fc.integer({ min: 1, max: 64 });
  const setting = fc
    .record({ entry: anyModel, engine: anyEngine, quantisation: anyQuantisation, context, concurrency })
    .map(({ entry, engine, quantisation, context, concurrency }) => ({
      match: { entry, quantisation, stated: true },
      engine,
      context,
      concurrency,
    }));

  it('never falls with context or with concurrency', () => {
    fc.assert(
      fc.property(setting, fc.nat(50_000), fc.nat(16), (asked, tokens, requests) => {
        const { bytes } = need(asked);
        assert.ok(need({ ...asked, context: asked.context + tokens }).bytes >= bytes);
        assert.ok(need({ ...asked, concurrency: asked.concurrency + requests }).bytes >= bytes);
      }),
    );
  });

  it('never falls with the bits of the weights', () => {
    const plain = fc.tuple(setting, anyQuantisation, anyQuantisation);
    fc.assert(
      fc.property(plain, ([asked, a, b]) => {
        const entry = { ...asked.match.entry, published: {}, measuredInVllm: undefined };
        const [fewer, more] = a.bits <= b.bits ? [a, b] : [b, a];
        fc.pre(fewer.file === more.file);
        const bytes = (one: typeof a) =>
          need({ ...asked, match: { entry, quantisation: one, stated: true } }).bytes;
        assert.ok(bytes(fewer) <= bytes(more));
      }),
    );
  });

  it('experts in RAM: N fits and one layer fewer does not', () => {
    const input = fc.record({
      all: fc.integer({ min: 1, max: 1_000_000 }),
      perLayer: fc.integer({ min: 1, max: 20_000 }),
      layers: fc.integer({ min: 1, max: 100 }),
      staging: fc.integer({ min: 0, max: 20_000 }),
      usable: fc.integer({ min: 1, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(input, (given) => {
        const at = (n: number) => given.all + (n > 0 ? given.staging : 0) - n * given.perLayer;
        const result = leastOffload(given);
        switch (result.kind) {
          case 'none':
            assert.ok(at(0) <= given.usable);
            break;
          case 'impossible':
            assert.ok(at(0) > given.usable && at(given.layers) > given.usable);
            break;
          case 'layers':
            assert.ok(result.layers <= given.layers && at(result.layers) <= given.usable);
            assert.equal(result.onCard, at(result.layers));
            assert.ok(at(result.layers - 1) > given.usable);
            break;
        }
      }),
    );
  });

  it('a plan never says "fits" of more than the card, alone or together, and its sums are its terms', () => {
    const name = fc.constantFrom(
      'Qwen3-235B-A22B-Q4_K_M.gguf',
      'Qwen3-Coder-Next-Q8_0.gguf',
      'Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8',
      'openai/gpt-oss-120b',
      'qwen2.5-coder-14b-q8_0.gguf',
      'Qwen/Qwen3-Embedding-8B',
      'acme/unknown-7b',
    );
    const one = fc.record({ model: name, context, max_concurrency: concurrency, engine: anyEngine });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 4 }), fc.integer({ min: 4, max: 192 }), (list, memory) => {
        const gpu = card('g', memory);
        const backends = list.map((more, index) => backend({ ...more, id: `b${index}`, gpu: 'g' }));
        const plan = planServer({ gpus: [gpu], backends, models: [] });
        const [only] = plan.cards;
        assert.ok(only !== undefined);
        for (const each of only.backends) {
          if (each.kind !== 'planned') continue;
          assert.ok(Math.abs(each.terms.reduce((sum, term) => sum + term.bytes, 0) - each.need) < 1);
          assert.equal(each.fits === 'yes', each.need <= usableBytes(gpu));
          if (each.pool !== null) assert.ok(each.pool.utilisation <= 0.97);
        }
        if (only.together === 'yes') assert.ok(only.sum <= usableBytes(gpu) + 1);
        if (
          only.together === 'no' ||
          only.backends.some((each) => each.kind === 'planned' && each.fits === 'no')
        )
          assert.equal(plan.ok, false);
      }),
    );
  });

  it('a model of experts too large for the card goes to RAM in part, and then fits alone only', () => {
    const big = backend({
      engine: 'llamacpp',
      model: '/models/Qwen3-235B-A22B-Instruct-2507-Q4_K_M.gguf',
      context: 32_768,
      max_concurrency: 1,
    });
    const small = backend({ engine: 'llamacpp', model: 'qwen2.5-coder-1.5b', max_concurrency: 1 });
    const gpu = card('rtx6000', 96);
    const asked = settingOf(big);
    assert.ok(asked !== undefined);
    assert.equal(offloadOf(asked, usableBytes(gpu)).kind, 'layers');
    assert.equal(fitTogether([big], gpu), 'yes');
    assert.equal(fitTogether([big, small], gpu), 'no');
    assert.equal(fitTogether([big], card('tiny', 4)), 'no');
  });

  it('of a model that is not known nothing is said, unless the known ones fill the card by themselves', () => {
    const unknown = backend({ id: 'u', model: 'acme/foo-7b' });
    const oss = backend({ id: 'o', model: 'openai/gpt-oss-120b' });
    assert.equal(memoryNeeded(unknown), undefined);
    assert.equal(memoryNeeded(backend({ engine: 'openai', model: 'openai/gpt-oss-120b' })), undefined);
    assert.equal(fitTogether([unknown], card('g', 96)), 'unknown');
    assert.equal(fitTogether([unknown, oss], card('g', 96)), 'unknown');
    assert.equal(fitTogether([unknown, oss], card('g', 48)), 'no');
    assert.equal(fitTogether([], card('g', 48)), 'yes');
  });

  it('says which numbers are published and of a stated file', () => {
    assert.equal(memoryNeeded(backend({ model: 'openai/gpt-oss-120b' }))?.exact, true);
    assert.equal(memoryNeeded(backend({ model: 'Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8' }))?.exact, false);
    assert.equal(memoryNeeded(backend({ engine: 'llamacpp', model: 'qwen2.5-coder-3b' }))?.exact, false);
    assert.equal(
      memoryNeeded(backend({ engine: 'llamacpp', model: 'qwen2.5-coder-3b-q8_0.gguf' }))?.exact,
      true,
    );
  });
});
