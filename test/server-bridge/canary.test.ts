import assert from 'node:assert/strict';
import fc from 'fast-check';
import { canaryRequest, judge, type CanaryKind } from '../../server-bridge/src/backends/canary.ts';
import { type RunningEngine, startEngine } from '../engine-llama/engine-process.ts';

type Config = Parameters<typeof canaryRequest>[0];

const completion = (text: string | null) => ({ object: 'text_completion', choices: [{ index: 0, text }] });
const chat = (message: object) => ({ choices: [{ index: 0, message: { role: 'assistant', ...message } }] });
const vector = (embedding: unknown) => ({
  object: 'list',
  data: [{ object: 'embedding', index: 0, embedding }],
});
const ranked = (...scores: unknown[]) => ({
  results: scores.map((relevance_score, index) => ({ index, relevance_score })),
});

function verdict(kind: CanaryKind, answer: unknown, reference?: string): string {
  return judge(kind, answer, reference).kind;
}

function reason(kind: CanaryKind, answer: unknown): string {
  const judged = judge(kind, answer, undefined);
  assert.equal(judged.kind, 'unsound', JSON.stringify(judged));
  return judged.kind === 'unsound' ? judged.reason : '';
}

describe('canary: the request', () => {
  const of = (config: Config) => canaryRequest(config, { model: 'm' });

  it('is for the hardest of what a backend serves', () => {
    assert.equal(of({ serves: ['chat', 'completion'], fim: 'qwen' }).kind, 'fim');
    assert.equal(of({ serves: ['completion', 'chat'], fim: 'none' }).kind, 'chat');
    assert.equal(of({ serves: ['chat'], fim: 'qwen' }).kind, 'chat');
    assert.equal(of({ serves: ['completion'], fim: 'none' }).kind, 'text');
    assert.equal(of({ serves: ['embedding', 'rerank'], fim: 'none' }).kind, 'embedding');
    assert.deepEqual(of({ serves: ['rerank'], fim: 'none' }).path, '/v1/rerank');
  });

  it('is the same each time, greedy, short and signed', () => {
    const config: Config = { serves: ['completion'], fim: 'starcoder' };
    const { body, path } = of(config);
    assert.deepEqual(of(config).body, body);
    assert.equal(path, '/v1/completions');
    const { prompt, stop: _, ...rest } = body;
    assert.deepEqual(rest, { max_tokens: 16, temperature: 0, seed: 1, user: 'hearth-canary', model: 'm' });
    assert.match(String(prompt), /^<fim_prefix>export function clamp.*<fim_suffix>\n\}\n<fim_middle>$/s);
  });
});

describe('canary: the judge', () => {
  it('lets pass whatever a small or odd model may say', () => {
    for (const text of [
      'Math.min(Math.ma',
      'value',
      '0',
      ' (value < low) ? low',
      '\n\n  // TODO\n',
      'the the the the the the',
      '0, 0, 0, 0, 0, 0, 0, 0,',
      '-----',
      '日本語のコメント',
      'clamp_\uFFFD',
      'f\uFFFD\uFFFD\uFFFD',
    ]) {
      assert.equal(verdict('fim', completion(text)), 'sound', text);
      assert.equal(verdict('text', completion(text)), 'sound', text);
      assert.equal(verdict('chat', chat({ content: text })), 'sound', text);
    }
    assert.equal(verdict('chat', chat({ content: 'Sure! ```ready```' })), 'sound');
    assert.equal(verdict('chat', chat({ content: 'ready<|im_end|>' })), 'sound');
    assert.equal(verdict('chat', chat({ content: null, reasoning_content: 'The user wants' })), 'sound');
    assert.equal(verdict('chat', chat({ content: '', reasoning: 'We need to' })), 'sound');
  });

  it('stops what only a broken one says', () => {
    for (const kind of ['fim', 'text', 'chat'] as const) {
      const says = (text: string | null) => (kind === 'chat' ? chat({ content: text }) : completion(text));
      assert.match(reason(kind, says('')), /says nothing/);
      assert.match(reason(kind, says(null)), /says nothing/);
      assert.match(reason(kind, says(' \n\n ')), /says nothing/);
      assert.match(reason(kind, says('!'.repeat(16))), /one character/);
      assert.match(reason(kind, says(`\n${'G'.repeat(8)} `)), /one character/);
      assert.match(reason(kind, says('a\uFFFD\uFFFDb\uFFFD\uFFFDc')), /broken bytes/);
      assert.match(reason(kind, says('\uFFFD'.repeat(16))), /broken bytes|one character/);
      assert.match(reason(kind, says('<unk><unk><unk>')), /special tokens/);
      assert.match(reason(kind, says('<|endoftext|>\n<|im_start|>')), /special tokens/);
      assert.match(reason(kind, { error: { message: 'no' } }), /API/);
      assert.match(reason(kind, { choices: [] }), /API/);
    }
    assert.match(reason('chat', chat({ content: '!!!!!!!!', reasoning_content: ' ' })), /one character/);
  });

  it('stops prose and leaks where code was asked for', () => {
    assert.match(reason('fim', completion('Sure! Here is the code')), /chat answer/);
    assert.match(reason('fim', completion('```ts\nMath.min')), /fence/);
    assert.match(reason('fim', completion('value<|fim_pad|>')), /special tokens/);
    assert.match(reason('fim', completion('value<|endoftext|>')), /special tokens/);
    assert.match(reason('fim', completion('value<｜end▁of▁sentence｜>')), /special tokens/);
  });

  it('sees when a backend says something else than before, and calls it nothing worse', () => {
    const first = judge('fim', completion('Math.min('), undefined);
    assert.ok(first.kind === 'sound');
    assert.equal(verdict('fim', completion('Math.min('), first.fingerprint), 'sound');
    const other = judge('fim', completion('Math.max('), first.fingerprint);
    assert.ok(other.kind === 'differs');
    assert.match(other.reason, /"Math\.max\(", not "Math\.min\("/);
    assert.equal(verdict('fim', completion('Math.max('), other.fingerprint), 'sound');
    assert.equal(verdict('fim', completion('!!!!!!!!!!'), first.fingerprint), 'unsound');
  });

  it('takes vectors of numbers, rounding apart', () => {
    const numbers = fc.array(fc.float({ min: -1, max: 1, noNaN: true }), { minLength: 8, maxLength: 200 });
    const some = numbers.filter((values) => values.slice(0, 64).some((value) => Math.abs(value) > 0.1));
    fc.assert(
      fc.property(some, (values) => {
        const first = judge('embedding', vector(values), undefined);
        assert.ok(first.kind === 'sound');
        const rounded = values.map((value) => value * (1 + 1e-3));
        assert.equal(verdict('embedding', vector(rounded), first.fingerprint), 'sound');
        const inverse = values.map((value) => -value);
        assert.equal(verdict('embedding', vector(inverse), first.fingerprint), 'differs');
        assert.equal(verdict('embedding', vector([...values, 0]), first.fingerprint), 'differs');
      }),
    );
    assert.equal(verdict('embedding', vector([0.1, 0.2]), 'of another release'), 'differs');
    assert.match(reason('embedding', vector([0, 0, 0])), /zeros/);
    assert.match(reason('embedding', vector([null, 0.5])), /no vector/);
    assert.match(reason('embedding', vector([NaN, 0.5])), /no vector/);
    assert.match(reason('embedding', vector('AACAPw==')), /no vector/);
    assert.match(reason('embedding', { data: [] }), /no vector/);
  });

  it('takes a ranking that knows the capital of France', () => {
    const sound = judge('rerank', ranked(0.02, 0.98, 0.01), undefined);
    assert.deepEqual(sound, { kind: 'sound', fingerprint: '1 0 2' });
    // Sorted by the server, scores below zero, and only the best.
    assert.equal(
      verdict('rerank', {
        results: [
          { index: 1, relevance_score: -2 },
          { index: 2, relevance_score: -9 },
        ],
      }),
      'sound',
    );
    assert.equal(verdict('rerank', { data: [{ index: 1, score: 3 }] }), 'sound');
    assert.equal(verdict('rerank', ranked(0.01, 0.98, 0.02), '1 0 2'), 'differs');
    assert.match(reason('rerank', ranked(0.9, 0.8, 0.1)), /Paris/);
    assert.match(reason('rerank', ranked(0.5, 0.5, 0.5)), /Paris/);
    assert.match(reason('rerank', ranked(null, null, null)), /no scores/);
    assert.match(reason('rerank', { results: [] }), /no scores/);
  });

  it('judges anything, and the same way each time', () => {
    const kind = fc.constantFrom<CanaryKind>('fim', 'text', 'chat', 'embedding', 'rerank');
    const answer = fc.oneof(
      fc.anything(),
      fc.string({ unit: 'binary' }).map(completion),
      fc.array(fc.double()).map(vector),
    );
    fc.assert(
      fc.property(kind, answer, fc.option(fc.string(), { nil: undefined }), (asked, reply, reference) => {
        const first = judge(asked, reply, reference);
        assert.deepEqual(judge(asked, reply, reference), first);
        if (first.kind !== 'unsound') assert.equal(verdict(asked, reply, first.fingerprint), 'sound');
      }),
      { numRuns: 500 },
    );
  });
});

describe('canary: the starter, in the real engine', () => {
  let engine: RunningEngine;
  before(async () => {
    engine = await startEngine();
  });
  after(() => engine.stop());

  const configs: Config[] = [
    { serves: ['completion', 'chat'], fim: 'qwen' },
    { serves: ['chat'], fim: 'none' },
    { serves: ['embedding'], fim: 'none' },
  ];
  for (const config of configs)
    it(`is sound as ${config.serves.join(' and ')}, and the same after a restart`, async () => {
      const { kind, path, body } = canaryRequest(config, { model: 'hearth-starter' });
      const ask = async (of: RunningEngine) => await (await of.post(path, body)).json();
      const first = judge(kind, await ask(engine), undefined);
      assert.ok(first.kind === 'sound', JSON.stringify(first));
      await using again = await startEngine();
      assert.deepEqual(judge(kind, await ask(again), first.fingerprint), first);
    });
});
