import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEngine, type RunningEngine } from '../engine-llama/engine-process.ts';
import { startBridge, twoBackends } from '../support/bridge.ts';
import { errorIn, post, told, untilIdle } from '../support/bridge-client.ts';
import { startCutProxy, type CutProxy } from '../support/cut-proxy.ts';
import {
  answersStatus,
  says,
  saysThenDies,
  startFakeBackend,
  startStream,
  type Behaviour,
} from '../support/fake-backend.ts';
import { ensureSecondModel, sharedText } from '../support/second-model.ts';

const COMPLETION = '/v1/completions';
const CHAT = '/v1/chat/completions';
const HELLO = [{ role: 'user', content: 'Hello' }];
const PATIENT = { timeouts: { connect: '10s', first_token: '60s', stall: '60s' } };

describe('bridge: continue_on_failure with two different models (the real llama.cpp)', function () {
  this.timeout(60_000);
  let folder: string;
  let starter: RunningEngine;
  let second: RunningEngine;
  let proxy: CutProxy;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-continue-'));
    [starter, second] = await Promise.all([
      startEngine('--parallel', '2'),
      startEngine('--parallel', '2', '--model', await ensureSecondModel(folder)),
    ]);
    proxy = await startCutProxy(starter.url);
  });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await Promise.all([starter.stop(), second.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  const bridgeBefore = async (url: string, goesOn = true) =>
    await startBridge({
      ...twoBackends(url, second.url, { ...PATIENT, engine: 'llamacpp', context: 4096 }),
      continue_on_failure: goesOn,
    });
  const lru = sharedText('lru-cache.ts.txt');
  const clamp = sharedText('clamp.ts.txt');
  const begun = 30;

  for (const [title, text, request, cuts] of [
    ['a plain completion', clamp, { prompt: clamp.slice(0, begun) }, [1, 83]],
    [
      'a completion from both sides of the cursor',
      clamp,
      { prompt: clamp.slice(0, begun), suffix: '\n' },
      [1, 50, 83],
    ],
  ] as const)
    it(`${title} is whole, each character once, wherever its backend was lost`, async () => {
      await using bridge = await bridgeBefore(proxy.url);
      const body = { ...request, temperature: 0, stream: true, max_tokens: 1_000 };
      for (const cut of cuts)
        for (const how of ['reset', 'end'] as const) {
          proxy.cutAfter(cut, how);
          const reply = await post(bridge.url, COMPLETION, body);
          const stream = told(await reply.text());
          assert.equal(stream.text, text.slice(begun));
          assert.deepEqual([stream.finish, stream.done, stream.error], ['stop', true, undefined]);
          assert.deepEqual(stream.comments, ['hearth continued on second']);
          assert.equal(reply.headers.get('x-hearth-backend'), 'first');
        }
    });

  it('the comment stands where one ends and the other begins', async () => {
    await using bridge = await bridgeBefore(proxy.url);
    proxy.cutAfter(20);
    const body = { prompt: clamp.slice(0, begun), temperature: 0, stream: true };
    const text = await (await post(bridge.url, COMPLETION, body)).text();
    const [before = '', after = ''] = text.split(': hearth continued on second\n\n');
    assert.equal(told(before).text, clamp.slice(begun, begun + 20));
    assert.equal(told(after).text, clamp.slice(begun + 20));
  });

  it('a chat is whole, too', async () => {
    const text = sharedText('chat.txt');
    await using bridge = await bridgeBefore(proxy.url);
    for (const cut of [1, text.length - 1]) {
      proxy.cutAfter(cut);
      const body = { messages: HELLO, temperature: 0, stream: true };
      const stream = told(await (await post(bridge.url, CHAT, body)).text());
      assert.equal(stream.text, text);
      assert.deepEqual([stream.done, stream.comments], [true, ['hearth continued on second']]);
    }
  });

  it('/infill is whole in its own shape', async () => {
    await using bridge = await bridgeBefore(proxy.url);
    proxy.cutAfter(30);
    const body = { input_prefix: clamp.slice(0, begun), input_suffix: '\n', temperature: 0, stream: true };
    const text = await (await post(bridge.url, '/infill', body)).text();
    const pieces = Array.from(
      text.matchAll(/^data: (.*)$/gm),
      ([, data = '']) => JSON.parse(data) as Record<string, unknown>,
    );
    assert.equal(pieces.map((piece) => piece.content).join(''), clamp.slice(begun));
    assert.deepEqual([pieces.at(-1)?.stop, pieces.filter((piece) => piece.stop).length], [true, 1]);
  });

  it('no more tokens are said than were asked for, by both together', async () => {
    await using bridge = await bridgeBefore(proxy.url);
    proxy.cutAfter(10);
    const body = { prompt: lru.slice(0, begun), temperature: 0, stream: true, max_tokens: 40 };
    const stream = told(await (await post(bridge.url, COMPLETION, body)).text());
    assert.deepEqual([stream.text, stream.finish], [lru.slice(begun, begun + 40), 'length']);
  });

  it('a process that is killed amid the stream (kill -9) is gone on from', async () => {
    await using doomed = await startEngine();
    await using bridge = await bridgeBefore(doomed.url);
    const body = { prompt: lru.slice(0, begun), temperature: 0, stream: true };
    const reply = await post(bridge.url, COMPLETION, body);
    const copy = reply.clone();
    await copy.body?.getReader().read();
    doomed.child.kill('SIGKILL');
    const stream = told(await reply.text());
    assert.equal(stream.text, lru.slice(begun));
    assert.deepEqual([stream.done, stream.comments], [true, ['hearth continued on second']]);
    await untilIdle(bridge.url);
  });

  it('switched off, the stream ends with the truth', async () => {
    await using bridge = await bridgeBefore(proxy.url, false);
    proxy.cutAfter(20);
    const body = { prompt: clamp.slice(0, begun), temperature: 0, stream: true };
    const stream = told(await (await post(bridge.url, COMPLETION, body)).text());
    assert.equal(stream.text, clamp.slice(begun, begun + 20));
    assert.deepEqual([stream.done, stream.error?.code, stream.comments], [false, 'backend_lost', []]);
  });

  for (const goesOn of [true, false])
    it(`a reply that doesn’t stream begins again unseen and is whole (continue_on_failure: ${goesOn})`, async () => {
      await using bridge = await bridgeBefore(proxy.url, goesOn);
      proxy.cutAfter(20);
      const reply = await post(bridge.url, COMPLETION, { prompt: clamp.slice(0, begun), temperature: 0 });
      const { choices, usage } = (await reply.json()) as {
        choices: { text: string; finish_reason: string }[];
        usage: { completion_tokens: number };
      };
      assert.deepEqual(
        [choices.length, choices[0]?.text, choices[0]?.finish_reason],
        [1, clamp.slice(begun), 'stop'],
      );
      assert.equal(usage.completion_tokens, clamp.length - begun);
      assert.equal(reply.headers.get('x-hearth-backend'), 'second');
      assert.equal(reply.headers.get('x-hearth-attempts'), '2');

      proxy.cutAfter(40);
      const chat = await post(bridge.url, CHAT, { messages: HELLO, temperature: 0 });
      const told = (await chat.json()) as { choices: { message: { content: string } }[] };
      assert.equal(told.choices[0]?.message.content, sharedText('chat.txt'));
    });
});

describe('bridge: continue_on_failure, where going on would be wrong', () => {
  /** `first` says "one " and dies; `second` would say "two". */
  async function scene(
    first: Behaviour = saysThenDies('one '),
    second: Behaviour = says('two'),
    { engine = 'vllm', alone = false } = {},
  ) {
    const backends = [await startFakeBackend(first), await startFakeBackend(second)] as const;
    const config = twoBackends(backends[0].url, backends[1].url, { ...PATIENT, engine });
    const bridge = await startBridge({
      ...config,
      ...(alone && { models: [{ id: 'coder', backends: ['first'] }] }),
      continue_on_failure: true,
    });
    return {
      second: backends[1],
      ask: async (path: string, body: object) =>
        told(await (await post(bridge.url, path, { ...body, stream: true })).text()),
      url: bridge.url,
      async [Symbol.asyncDispose]() {
        await bridge[Symbol.asyncDispose]();
        for (const backend of backends) await backend[Symbol.asyncDispose]();
      },
    };
  }
  const tool = { type: 'function', function: { name: 'f', parameters: {} } };

  for (const [title, path, body] of [
    ['with tools', CHAT, { messages: HELLO, tools: [tool] }],
    ['with functions, as they were called before', CHAT, { messages: HELLO, functions: [{ name: 'f' }] }],
    ['in JSON', CHAT, { messages: HELLO, response_format: { type: 'json_object' } }],
    ['by a schema', CHAT, { messages: HELLO, response_format: { type: 'json_schema', json_schema: {} } }],
    ['by a grammar', COMPLETION, { prompt: 'x', grammar: 'root ::= "a"' }],
    ['guided as vLLM does it', COMPLETION, { prompt: 'x', guided_regex: 'a+' }],
    ['of several answers', COMPLETION, { prompt: 'x', n: 2 }],
    ['of the best of several', COMPLETION, { prompt: 'x', best_of: 2 }],
    ['with the prompt before it', COMPLETION, { prompt: 'x', echo: true }],
    ['with probabilities', COMPLETION, { prompt: 'x', logprobs: 1 }],
  ] as const)
    it(`an answer ${title} ends with the truth`, async () => {
      await using parts = await scene();
      const stream = await parts.ask(path, body);
      assert.deepEqual([stream.text, stream.done, stream.error?.code], ['one ', false, 'backend_lost']);
      assert.deepEqual(stream.comments, []);
      assert.equal(parts.second.seen.length, 0);
    });

  it('what is as good as plain text goes on', async () => {
    await using parts = await scene();
    const body = { prompt: 'x', n: 1, echo: false, response_format: { type: 'text' }, max_tokens: 9 };
    const stream = await parts.ask(COMPLETION, body);
    assert.deepEqual([stream.text, stream.done], ['one two', true]);
    const { prompt, max_tokens } = parts.second.seen[0]?.body ?? {};
    assert.deepEqual([prompt, max_tokens], ['xone ', 8]);
  });

  it('an engine that can’t go on with a begun message isn’t asked to', async () => {
    await using parts = await scene(undefined, undefined, { engine: 'openai' });
    const stream = await parts.ask(CHAT, { messages: HELLO });
    assert.deepEqual([stream.text, stream.done, stream.error?.code], ['one ', false, 'backend_lost']);
    assert.equal(parts.second.seen.length, 0);
    // Plain text any engine can go on with.
    assert.equal((await parts.ask(COMPLETION, { prompt: 'x' })).text, 'one two');
  });

  it('a model that was lost amid its thoughts isn’t gone on from: nobody could, and twice is one too many', async () => {
    const thinks: Behaviour = (response) => {
      startStream(response);
      const delta = { reasoning_content: 'Let me think' };
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`);
      setImmediate(() => response.socket?.destroy());
    };
    await using parts = await scene(thinks);
    const stream = await parts.ask(CHAT, { messages: HELLO });
    assert.deepEqual([stream.text, stream.done, stream.error?.code], ['', false, 'backend_lost']);
    assert.equal(parts.second.seen.length, 0);
  });

  it('with nobody else, with one that refuses, fails or dies, too: the text so far, backend_lost, no [DONE]', async () => {
    for (const [second, text] of [
      [answersStatus(400, 'prefill is not supported'), 'one '],
      [answersStatus(500), 'one '],
      [saysThenDies('more '), 'one more '],
    ] as const) {
      await using parts = await scene(undefined, second);
      const stream = await parts.ask(CHAT, { messages: HELLO });
      assert.deepEqual([stream.text, stream.done, stream.error?.code], [text, false, 'backend_lost']);
      assert.equal(parts.second.seen.length, 1);
    }
    await using parts = await scene(undefined, undefined, { alone: true });
    const stream = await parts.ask(COMPLETION, { prompt: 'x' });
    assert.deepEqual([stream.text, stream.done, stream.error?.code], ['one ', false, 'backend_lost']);
  });

  it('an answer that had its finish reason isn’t gone on from: it was whole', async () => {
    const finishesThenDies: Behaviour = (response) => {
      startStream(response);
      for (const [text, reason] of [
        ['one', null],
        ['', 'stop'],
      ])
        response.write(
          `data: ${JSON.stringify({ choices: [{ index: 0, text, finish_reason: reason }] })}\n\n`,
        );
      setImmediate(() => response.socket?.destroy());
    };
    await using parts = await scene(finishesThenDies);
    const stream = await parts.ask(COMPLETION, { prompt: 'x' });
    assert.deepEqual([stream.text, stream.done, stream.finish, stream.comments], ['one', true, 'stop', []]);
    assert.equal(parts.second.seen.length, 0);
  });

  it('a whole reply with nobody to begin again is an error', async () => {
    await using parts = await scene(undefined, undefined, { alone: true });
    const reply = await post(parts.url, COMPLETION, { prompt: 'x' });
    assert.equal(reply.status, 502);
    assert.equal((await errorIn(reply)).code, 'backend_lost');
  });
});
