import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import type { EngineLoad } from '../../../server-bridge/src/backends/engines/engine.ts';
import { ENGINES } from '../../../server-bridge/src/backends/engines/engines.ts';
import { type RunningEngine, eventually, startEngine } from '../../engine-llama/engine-process.ts';

const golden = async (file: string): Promise<string> =>
  await readFile(new URL(`metrics/${file}`, import.meta.url), 'utf8');

function read(engine: keyof typeof ENGINES, body: string, headers?: Record<string, string>) {
  const { metrics } = ENGINES[engine];
  assert.ok(metrics !== undefined);
  return metrics.read(body, headers);
}

const moved = (before: EngineLoad | undefined, after: EngineLoad | undefined): boolean =>
  before?.progress !== undefined && after?.progress !== undefined && before.progress !== after.progress;

describe('engines: what the servers say of themselves', () => {
  it('vLLM: summed over its engines, from names old and new', async () => {
    const text = await golden('vllm-two-engines.txt');
    const load = read('vllm', text);
    assert.equal(load?.running, 5);
    assert.equal(load?.waiting, 4);
    assert.equal(load?.kvUse, 0.42);
    assert.equal(load?.startedAt, 1_788_300_000.45);
    const older = read('vllm', text.replaceAll('kv_cache_usage_perc', 'gpu_cache_usage_perc'));
    assert.deepEqual(older, load);
  });

  it('vLLM: moves with a token, and with a prefill, which no counter shows until it is over', async () => {
    const text = await golden('vllm-two-engines.txt');
    const still = read('vllm', text);
    assert.ok(!moved(still, read('vllm', text)));
    const token = text
      .replace('generation_tokens_total{engine="0",model_name="m"} 44391.0', (line) =>
        line.replace('44391', '44392'),
      )
      .replace('iteration_tokens_total_count{engine="0",model_name="m"} 9000.0', (line) =>
        line.replace('9000', '9001'),
      );
    assert.ok(moved(still, read('vllm', token)));
    const prefill = text.replace('} 0.42', '} 0.420016');
    assert.ok(moved(still, read('vllm', prefill)));
    // Large counters don't swallow the fraction.
    const long = text.replace('} 44391.0', '} 9.3182e+10');
    assert.ok(moved(read('vllm', long), read('vllm', long.replace('} 0.42', '} 0.4201'))));
  });

  it('vLLM: without statistics only its restarts are known', () => {
    assert.deepEqual(read('vllm', 'process_start_time_seconds 1.7e+09\npython_info{version="3.12"} 1.0\n'), {
      running: undefined,
      waiting: undefined,
      kvUse: undefined,
      progress: undefined,
      startedAt: 1.7e9,
    });
  });

  it('llama-server: its start is in a header, and its use of the cache only in older builds', async () => {
    const text = await golden('llama-server.txt');
    const load = read('llamacpp', text, { 'process-start-time-unix': '81234567890' });
    assert.deepEqual(load, {
      running: 31,
      waiting: 7,
      kvUse: undefined,
      progress: 5_000 + 120_000 + 98_765,
      startedAt: 81_234_567_890,
    });
    assert.equal(read('llamacpp', text)?.startedAt, undefined);
    assert.equal(read('llamacpp', text, { 'process-start-time-unix': 'x' })?.startedAt, undefined);
    assert.equal(read('llamacpp', `${text}llamacpp:kv_cache_usage_ratio 0.25\n`)?.kvUse, 0.25);
  });

  it('llama-server: moves with each batch, as long as its six digits can show one', async () => {
    const text = await golden('llama-server.txt');
    const at = (decodes: string) =>
      read('llamacpp', text.replace('n_decode_total 5000', `n_decode_total ${decodes}`));
    assert.ok(moved(at('5000'), at('5001')));
    assert.ok(moved(at('3.21457e+06'), at('3.21458e+06')));
    assert.equal(at('3.21457e+07')?.progress, undefined);
    assert.equal(at('3.21457e+07')?.running, 31);
    assert.equal(read('llamacpp', text.replace(/^.*n_decode_total.*$/gm, ''))?.progress, undefined);
  });

  it('trtllm-serve: the last of its iterations; none is no news', async () => {
    const text = await golden('trtllm-serve.json');
    assert.deepEqual(read('trtllm', text), {
      running: 3,
      waiting: 2,
      kvUse: 0.25,
      progress: 155,
      startedAt: undefined,
    });
    assert.equal(read('trtllm', '[]'), undefined);
    const stranger = read('trtllm', '[{"iter": 7, "numActiveRequests": null, "kvCacheStats": null}]');
    assert.equal(stranger?.progress, 7);
    assert.equal(stranger?.kvUse, undefined);
  });

  it('all: an error page, a body cut short or any other text is no fault', () => {
    const errors = [
      '',
      '{"error":{"code":501,"message":"This server does not support metrics endpoint.","type":"not_supported_error"}}',
      '<html><body>404</body></html>',
      '[{"iter": 1, "numActive',
      '[null]',
      'null',
    ];
    const text = fc.oneof(fc.constantFrom(...errors), fc.string(), fc.json());
    for (const { metrics } of Object.values(ENGINES))
      fc.assert(
        fc.property(text, (body) => {
          assert.equal(metrics?.read(body), undefined);
        }),
      );
  });

  it('all: tokens are counted from the reply, and from nothing else', () => {
    const { vllm, llamacpp, trtllm, openai } = ENGINES;
    assert.deepEqual(vllm.tokenize?.body('a b', 'm'), { model: 'm', prompt: 'a b' });
    assert.equal(vllm.tokenize?.count({ count: 2, max_model_len: 4096, tokens: [1, 2] }), 2);
    assert.equal(trtllm.tokenize?.count({ count: 2, tokens: null }), 2);
    assert.equal(llamacpp.tokenize?.count({ tokens: [1, { id: 2, piece: 'b' }] }), 2);
    assert.equal(openai.tokenize, undefined);
    for (const engine of Object.values(ENGINES))
      fc.assert(
        fc.property(fc.anything(), (reply) => {
          const count = engine.tokenize?.count(reply);
          assert.ok(count === undefined || (Number.isInteger(count) && count >= 0));
        }),
      );
  });
});

describe('engines: our own, as it runs', () => {
  let engine: RunningEngine;
  const load = async () => read('embedded', await (await fetch(`${engine.url}/metrics`)).text());
  before(async () => {
    engine = await startEngine('--parallel', '1');
  });
  after(() => engine.stop());

  it('tells its load, moves while it reads and writes, and starts anew as another', async () => {
    const idle = await load();
    assert.equal(idle?.running, 0);
    assert.equal(idle.waiting, 0);
    assert.ok(!moved(idle, await load()));

    const gone = new AbortController();
    const prompt = '0123456789'.repeat(300);
    const asked = ['a', 'b'].map((first) =>
      engine.post('/v1/completions', { prompt: first + prompt, max_tokens: 4 }, gone.signal),
    );
    await eventually(async () => (await load())?.waiting ?? -1, 1);
    const reading = await load();
    assert.equal(reading?.running, 1);
    await eventually(async () => Number(moved(reading, await load())), 1);
    gone.abort();
    await Promise.allSettled(asked);

    await using other = await startEngine();
    const anew = read('embedded', await (await fetch(`${other.url}/metrics`)).text());
    assert.notEqual(anew?.startedAt, idle.startedAt);
    assert.equal((await load())?.startedAt, idle.startedAt);
  });

  it('is healthy by the path in the table, counts tokens and goes on with a chat', async () => {
    const { healthPath, tokenize, continuesChat } = ENGINES.embedded;
    assert.equal((await fetch(engine.url + healthPath)).status, 200);
    const reply = await engine.post(tokenize?.path ?? '', tokenize?.body('const é', 'm') as object);
    assert.equal(tokenize?.count(await reply.json()), Buffer.byteLength('const é'));
    const messages = [
      { role: 'user', content: 'Hello' },
      { role: 'assistant', content: "I am Hearth's starter model, a sta" },
    ];
    const chat = await engine.post('/v1/chat/completions', { messages, ...continuesChat });
    const { choices } = (await chat.json()) as { choices: [{ message: { content: string } }] };
    assert.match(choices[0].message.content, /^nd-in: /);
  });
});
