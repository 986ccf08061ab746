import assert from 'node:assert/strict';
import { errorEnvelope } from '@hearth/protocol';
import OpenAI from 'openai';
import { type RunningEngine, eventually, runToExit, startAlone, startEngine } from '../engine-process.ts';

const FUNCTION = 'export function fibonacci(';
const ANSWER =
  'index: number): number {\n  let pair = [0, 1];\n  for (let step = 0; step < index; step += 1) pair = [pair[1], pair[0] + pair[1]];\n  return pair[0];\n}';

describe("the engine's OpenAI API", () => {
  let engine: RunningEngine;
  let client: OpenAI;
  before(async () => {
    engine = await startEngine('--parallel', '2', '--alias', 'coder');
    client = new OpenAI({ baseURL: `${engine.url}/v1`, apiKey: 'none', maxRetries: 0 });
  });
  after(() => engine.stop());

  async function refusal(
    path: string,
    body: object | string,
  ): Promise<{ status: number; code: string | null; message: string }> {
    const response = await engine.post(path, body);
    const { error } = errorEnvelope.parse(await response.json());
    assert.equal(error.request_id, response.headers.get('x-request-id'));
    return { status: response.status, code: error.code, message: error.message };
  }

  it('says that it is well and which model it has', async () => {
    assert.deepEqual(await (await fetch(`${engine.url}/health`)).json(), { status: 'ok' });
    assert.deepEqual(
      (await client.models.list()).data.map((model) => model.id),
      ['coder'],
    );
  });

  it('streams the same text that it gives at once, and the usage', async () => {
    const body = { model: 'coder', prompt: FUNCTION, temperature: 0 };
    const whole = await client.completions.create(body);
    assert.equal(whole.choices[0]?.text, ANSWER);
    assert.deepEqual(
      { ...whole.usage, prompt_tokens_details: undefined },
      {
        prompt_tokens: FUNCTION.length,
        completion_tokens: ANSWER.length,
        total_tokens: FUNCTION.length + ANSWER.length,
        prompt_tokens_details: undefined,
      },
    );
    const chunks = [];
    const stream = await client.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) chunks.push(chunk);
    assert.equal(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join(''), ANSWER);
    assert.equal(chunks.at(-2)?.choices[0]?.finish_reason, 'stop');
    assert.equal(chunks.at(-1)?.usage?.completion_tokens, ANSWER.length);
    assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  });

  it('ends a stream with [DONE]', async () => {
    const response = await engine.post('/v1/completions', {
      prompt: FUNCTION,
      temperature: 0,
      stream: true,
      max_tokens: 2,
    });
    assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
    const lines = (await response.text()).split('\n\n');
    assert.deepEqual(lines.slice(-2), ['data: [DONE]', '']);
    assert.match(lines.at(-3) ?? '', /"finish_reason":"length"/);
  });

  it('streams chat in the shapes of OpenAI', async () => {
    const stream = await client.chat.completions.create({
      model: 'coder',
      messages: [{ role: 'user', content: 'Hello' }],
      max_completion_tokens: 20,
      stream: true,
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.deepEqual(chunks[0]?.choices[0]?.delta, { role: 'assistant', content: '' });
    assert.equal(
      chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''),
      "I am Hearth's starte",
    );
    assert.equal(chunks.at(-1)?.choices[0]?.finish_reason, 'length');
  });

  it('goes on with an unfinished message of the assistant', async () => {
    const whole = await client.chat.completions.create({
      model: 'coder',
      messages: [{ role: 'user', content: 'Hello' }],
    });
    const content = whole.choices[0]?.message.content ?? '';
    assert.match(content, /^I am Hearth's starter model/);
    for (const cut of [1, 12, content.length - 1, content.length]) {
      const messages = [
        { role: 'user', content: 'Hello' },
        { role: 'assistant', content: content.slice(0, cut) },
      ];
      const fields = { messages, continue_final_message: true, add_generation_prompt: false };
      const reply = await engine.post('/v1/chat/completions', fields);
      const { choices } = (await reply.json()) as { choices: [{ message: { content: string } }] };
      assert.equal(choices[0].message.content, content.slice(cut));
    }
  });

  it('goes on with nothing else', async () => {
    const user = { role: 'user', content: 'Hello' };
    const assistant = { role: 'assistant', content: 'I am' };
    const goesOn = { continue_final_message: true };
    const last = await refusal('/v1/chat/completions', { messages: [assistant, user], ...goesOn });
    assert.deepEqual({ status: last.status, code: last.code }, { status: 400, code: 'invalid_request' });
    const both = { messages: [user, assistant], ...goesOn, add_generation_prompt: true };
    assert.match((await refusal('/v1/chat/completions', both)).message, /"add_generation_prompt"/);
    // Without being asked to, it answers; so does every other server but llama-server.
    const reply = await engine.post('/v1/chat/completions', { messages: [user, assistant] });
    const { choices } = (await reply.json()) as { choices: [{ message: { content: string } }] };
    assert.match(choices[0].message.content, /^I am Hearth's/);
  });

  it('counts tokens as it does for a prompt', async () => {
    const tokensIn = async (content: string): Promise<number[]> => {
      const reply = await engine.post('/tokenize', { model: 'any', content, add_special: true });
      return ((await reply.json()) as { tokens: number[] }).tokens;
    };
    assert.deepEqual(await tokensIn('é<|fim_middle|>a'), [0xc3, 0xa9, 260, 0x61]);
    assert.deepEqual(await tokensIn(''), []);
    assert.equal((await refusal('/tokenize', { text: 'a' })).code, 'invalid_request');
    // Longer than it tokenizes at once, with lines and without, and no character is torn.
    for (const unit of ['const 𝒳 = "é";\n', '𝒳', 'a']) {
      const long = unit.repeat(Math.ceil(120_000 / unit.length));
      const tokens = await tokensIn(long);
      assert.ok(Buffer.from(tokens).equals(Buffer.from(long)));
    }
    const prompt = `${FUNCTION}// é`;
    const { usage } = await client.completions.create({ model: 'coder', prompt, max_tokens: 1 });
    assert.equal((await tokensIn(prompt)).length, usage?.prompt_tokens);
  });

  it('says since when it runs, the same each time', async () => {
    const start = async () =>
      /^process_start_time_seconds ([\d.]+)$/m.exec(await (await fetch(`${engine.url}/metrics`)).text())?.[1];
    const first = Number(await start());
    assert.ok(Math.abs(first - Date.now() / 1000) < 60, String(first));
    assert.equal(Number(await start()), first);
    await using other = await startEngine();
    assert.ok(!(await (await fetch(`${other.url}/metrics`)).text()).includes(` ${first}\n`));
  });

  it('stops before a stop text and never shows a part of it, however it streams', async () => {
    const stop = ['1]', '\n  return'];
    const { text, finish_reason } = await engine.complete(FUNCTION, { stop });
    assert.equal(text, 'index: number): number {\n  let pair = [0, ');
    assert.equal(finish_reason, 'stop');
    let streamed = '';
    const stream = await client.completions.create({
      model: 'coder',
      prompt: FUNCTION,
      temperature: 0,
      stop,
      stream: true,
    });
    for await (const chunk of stream) streamed += chunk.choices[0]?.text ?? '';
    assert.equal(streamed, text);
  });

  it('never shows half a character', async () => {
    const prompt = "const greetings = { en: 'Hello', ru:";
    const pieces = [];
    const stream = await client.completions.create({
      model: 'coder',
      prompt,
      temperature: 0,
      max_tokens: 14,
      stream: true,
    });
    for await (const chunk of stream) pieces.push(chunk.choices[0]?.text ?? '');
    assert.deepEqual(pieces, [' ', "'", ...Array.from('Привет'), '']);
    // 13 bytes are half a letter more than 12.
    assert.equal((await engine.complete(prompt, { max_tokens: 13 })).text, " 'Приве");
  });

  it('answers several at once as it does one by one', async () => {
    const prompts = [
      FUNCTION,
      'export function clamp(',
      'def flatten(nested',
      'const greetings = { en',
      "app.get('/users",
    ];
    const alone = [];
    for (const prompt of prompts) alone.push((await engine.complete(prompt)).text);
    const together = await Promise.all(prompts.map(async (prompt) => (await engine.complete(prompt)).text));
    assert.deepEqual(together, alone);
    assert.ok(alone.every((text) => text !== ''));
  });

  it('evaluates only what differs from a prompt before', async () => {
    const prompt = `${'// a long beginning\n'.repeat(12)}${FUNCTION}`;
    await engine.complete(prompt, { max_tokens: 1 });
    const before = await engine.metric('prompt_tokens_total');
    assert.equal((await engine.complete(`${prompt}index: `)).text, ANSWER.slice('index: '.length));
    const evaluated = (await engine.metric('prompt_tokens_total')) - before;
    assert.ok(evaluated <= 'index: '.length + 1, String(evaluated));
  });

  describe('stops working for a client that is gone', () => {
    // Digits aren't in the corpus: only the prompt's own evaluation takes time.
    const long = '0123456789'.repeat(380);

    it('in mid-stream', async () => {
      const gone = new AbortController();
      const before = await engine.metric('tokens_predicted_total');
      const response = await engine.post(
        '/v1/completions',
        { prompt: 'export function debounce<', temperature: 0, stream: true },
        gone.signal,
      );
      await response.body?.getReader().read();
      gone.abort();
      await eventually(() => engine.metric('requests_processing'), 0);
      assert.ok((await engine.metric('tokens_predicted_total')) - before < 150);
    });

    for (const stream of [true, false]) {
      it(`in prefill, ${stream ? '' : 'not '}streaming`, async () => {
        const gone = new AbortController();
        const before = await engine.metric('prompt_tokens_total');
        const pending = engine.post(
          '/v1/completions',
          { prompt: `${String(stream)}${long}`, stream },
          gone.signal,
        );
        await eventually(() => engine.metric('requests_processing'), 1);
        gone.abort();
        await assert.rejects(pending);
        await eventually(() => engine.metric('requests_processing'), 0);
        assert.ok((await engine.metric('prompt_tokens_total')) - before < long.length / 2);
      });
    }

    it('while it waits for a sequence', async () => {
      const gone = new AbortController();
      const requests = ['a', 'b', 'c'].map((name) =>
        engine.post('/v1/completions', { prompt: name + long }, gone.signal),
      );
      await eventually(() => engine.metric('requests_deferred'), 1);
      gone.abort();
      await Promise.allSettled(requests);
      await eventually(() => engine.metric('requests_deferred'), 0);
      await eventually(() => engine.metric('requests_processing'), 0);
      assert.equal((await engine.complete(FUNCTION)).text, ANSWER);
    });
  });

  it('refuses a prompt of 20 MB at once and goes on serving', async () => {
    const { status, code, message } = await refusal('/v1/completions', { prompt: 'x'.repeat(20_000_000) });
    assert.deepEqual({ status, code }, { status: 413, code: 'context_too_long' });
    assert.match(message, /more than \d+ tokens; at most 4095 fit/);
    assert.match((await refusal('/v1/completions', { prompt: 'x'.repeat(4096) })).message, /has 4096 tokens/);
    assert.equal((await refusal('/v1/completions', { prompt: 'x'.repeat(33 << 20) })).code, 'body_too_large');
    assert.equal((await engine.complete(FUNCTION)).text, ANSWER);
  });

  it('names what is wrong with a request', async () => {
    for (const [path, body, status, code] of [
      ['/v1/completions', '{"prompt":', 400, 'invalid_request'],
      ['/v1/completions', {}, 400, 'invalid_request'],
      ['/v1/completions', { prompt: '' }, 400, 'invalid_request'],
      ['/v1/completions', { prompt: 'a', suffix: 'b' }, 400, 'invalid_request'],
      ['/v1/completions', { prompt: 'a', n: 2 }, 400, 'invalid_request'],
      ['/v1/completions', { prompt: 'a', temperature: 9 }, 400, 'invalid_request'],
      ['/v1/chat/completions', { messages: [] }, 400, 'invalid_request'],
      [
        '/v1/chat/completions',
        { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
        400,
        'invalid_request',
      ],
      ['/v1/nothing', {}, 404, 'not_found'],
    ] as const) {
      const answer = await refusal(path, body);
      assert.deepEqual({ status: answer.status, code: answer.code }, { status, code }, JSON.stringify(body));
    }
  });

  it('embeds tokens as it does their text, and none that it does not have', async () => {
    const texts = ['export', 'const'];
    const tokens = texts.map((text) => [...Buffer.from(text)]);
    const embed = async (input: string | string[] | number[] | number[][]) =>
      (await client.embeddings.create({ model: 'coder', input })).data.map(({ embedding }) => embedding);
    assert.deepEqual(await embed(tokens), await embed(texts));
    assert.deepEqual(await embed(tokens[0] ?? []), await embed('export'));
    for (const input of [[999_999], [[-1]]])
      assert.match((await refusal('/v1/embeddings', { input })).message, /has no token/);
    assert.equal(
      (await refusal('/v1/embeddings', { input: Array(5_000).fill(65) })).code,
      'context_too_long',
    );
  });

  it('gives embeddings of length 1, as numbers and as base64', async () => {
    const input = ['export function', 'Привет'];
    const reply = await client.embeddings.create({ model: 'coder', input });
    assert.equal(reply.data.length, 2);
    for (const { embedding } of reply.data) assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-5);
    const floats = await client.embeddings.create({ model: 'coder', input, encoding_format: 'float' });
    assert.ok(Math.abs((floats.data[1]?.embedding[0] ?? 0) - (reply.data[1]?.embedding[0] ?? 9)) < 1e-6);
  });
});

describe("the engine's process", () => {
  for (const [title, startIt, how] of [
    ['on SIGTERM', startAlone, 'SIGTERM'],
    ['when its parent lets go', startEngine, 'leash'],
  ] as const)
    it(`stops with 0 ${title}, telling who is in mid-answer`, async () => {
      await using engine = await startIt();
      const response = await engine.post('/v1/completions', {
        prompt: 'export function debounce<',
        temperature: 0,
        stream: true,
      });
      const stopped = engine.stop(how);
      const text = await response.text();
      assert.equal(await stopped, 0);
      assert.ok(!text.includes('[DONE]'));
      assert.match(text, /"code":"backend_lost"/);
    });

  it('answers on where a signal went to the whole group and its parent still drains', async () => {
    await using engine = await startEngine();
    engine.child.kill('SIGINT');
    engine.child.kill('SIGTERM');
    assert.equal((await engine.complete('export function clamp(')).finish_reason, 'stop');
  });

  it('says what is wrong with a port in use', async () => {
    await using engine = await startEngine();
    const { port } = new URL(engine.url);
    const { code, stderr } = await runToExit(['--model', 'hearth-starter', '--port', port]);
    assert.equal(code, 1);
    assert.match(stderr, /^Port \d+ on 127\.0\.0\.1 is in use/m);
  });
});
