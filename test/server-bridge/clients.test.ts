import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { KeyStore } from '../../server-bridge/src/access/key-store.ts';
import { modelFolder } from '../../server-bridge/engine-llama/src/models/folder.ts';
import { ensureStarter } from '../../server-bridge/engine-llama/starter/ensure.ts';
import { startBridge, twoBackends, type RunningBridge } from '../support/bridge.ts';
import { post, told, untilBackend } from '../support/bridge-client.ts';
import {
  answersStatus,
  hangs,
  says,
  saysThenDies,
  saysThenHangs,
  startFakeBackend,
} from '../support/fake-backend.ts';
import { needs } from '../support/needs.ts';
import { done, end, head, hold, startScriptedServer, write, type Step } from '../support/scripted-server.ts';

const PROMPT = 'export function clamp(value: number, low: number, high: number) {\n  return ';
const ANSWER = 'Math.min(Math.max(value, low), high);';
const HELLO = [{ role: 'user' as const, content: 'Hello' }];
const PATIENT = { timeouts: { connect: '10s', first_token: '60s', stall: '60s' } };

const clientOf = (bridge: RunningBridge, apiKey = 'none') =>
  new OpenAI({ baseURL: `${bridge.url}/v1`, apiKey, maxRetries: 0 });

describe('bridge: clients made for others, with the real engine', function () {
  this.timeout(60_000);
  let bridge: RunningBridge;
  let client: OpenAI;
  before(async () => {
    const model = await ensureStarter(modelFolder(process.env));
    bridge = await startBridge({
      backends: [
        { id: 'real', engine: 'embedded', model, context: 4096, serves: ['completion', 'chat', 'embedding'] },
      ],
      models: [{ id: 'coder', title: 'Coder', backends: ['real'] }],
    });
    client = clientOf(bridge);
    await untilBackend(bridge.url, 'real', 'up');
  });
  after(async () => {
    await bridge[Symbol.asyncDispose]();
  });

  it('OpenAI’s: completions, whole and streamed, from one side of the cursor and from both', async () => {
    for (const suffix of [undefined, '\n}']) {
      const body = {
        model: 'coder',
        prompt: PROMPT,
        temperature: 0,
        max_tokens: 64,
        ...(suffix && { suffix }),
      };
      const { data: whole, response } = await client.completions.create(body).withResponse();
      assert.ok(whole.choices[0]?.text.startsWith(ANSWER), whole.choices[0]?.text);
      assert.equal(whole.object, 'text_completion');
      assert.ok((whole.usage?.completion_tokens ?? 0) >= ANSWER.length);
      assert.equal(response.headers.get('x-hearth-backend'), 'real');
      const pieces = [];
      let usage;
      const stream = await client.completions.create({
        ...body,
        stream: true,
        stream_options: { include_usage: true },
      });
      for await (const chunk of stream) {
        pieces.push(chunk.choices[0]?.text ?? '');
        usage = chunk.usage ?? usage;
      }
      assert.equal(pieces.join(''), whole.choices[0]?.text);
      assert.deepEqual(usage?.completion_tokens, whole.usage?.completion_tokens);
    }
  });

  it('OpenAI’s: chat, whole and streamed', async () => {
    const whole = await client.chat.completions.create({ model: 'coder', messages: HELLO, temperature: 0 });
    assert.match(whole.choices[0]?.message.content ?? '', /^I am Hearth's starter model/);
    const stream = client.chat.completions.stream({ model: 'coder', messages: HELLO, temperature: 0 });
    const final = await stream.finalChatCompletion();
    assert.deepEqual(final.choices[0]?.message.content, whole.choices[0]?.message.content);
    assert.equal(final.choices[0]?.finish_reason, 'stop');
  });

  it('OpenAI’s: embeddings, as it asks for them by itself, and as numbers', async () => {
    const input = ['const a = 1;', 'Привет'];
    const packed = await client.embeddings.create({ model: 'coder', input });
    const numbers = await client.embeddings.create({ model: 'coder', input, encoding_format: 'float' });
    assert.equal(packed.data.length, 2);
    for (const [index, { embedding }] of packed.data.entries()) {
      const other = numbers.data[index]?.embedding ?? [];
      assert.equal(embedding.length, other.length);
      assert.ok(embedding.every((value, at) => Math.abs(value - (other[at] ?? 9)) < 1e-6));
    }
  });

  it('OpenAI’s: the list of models', async () => {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    assert.deepEqual(ids, ['coder']);
  });

  it('llama.vscode’s: infill as it asks llama-server for it', async () => {
    const request = {
      id_slot: 0,
      input_prefix: 'export function clamp(value: number, low: number, high: number) {\n',
      input_suffix: '\n}\n',
      input_extra: [{ text: 'export const one = 1;', time: 1_700_000_000_000, filename: 'one.ts' }],
      prompt: '  return ',
      n_predict: 128,
      top_k: 1,
      top_p: 0.99,
      temperature: 0,
      stream: false,
      samplers: ['top_k', 'top_p', 'infill'],
      cache_prompt: true,
      t_max_prompt_ms: 500,
      t_max_predict_ms: 2_500,
    };
    const reply = await post(bridge.url, '/infill', request);
    const { content, stop } = (await reply.json()) as { content: string; stop: boolean };
    assert.ok(content.startsWith(ANSWER), content);
    assert.equal(stop, true);
    // So it warms the server's cache up.
    assert.equal((await post(bridge.url, '/infill', { ...request, n_predict: 0 })).status, 200);
  });

  describe('curl', () => {
    before(function () {
      needs(this, 'curl');
    });

    it('gets a whole reply, and a stream as it comes', async () => {
      const body = { prompt: PROMPT, suffix: '\n', temperature: 0, max_tokens: 64 };
      const curl = async (sent: object, ...options: string[]) =>
        await promisify(execFile)('curl', [
          '-sS',
          '--fail-with-body',
          ...options,
          '-H',
          'content-type: application/json',
          '-d',
          JSON.stringify(sent),
          `${bridge.url}/v1/completions`,
        ]);
      const whole = JSON.parse((await curl(body)).stdout) as { choices: { text: string }[] };
      assert.ok(whole.choices[0]?.text.startsWith(ANSWER));
      const { stdout } = await curl({ ...body, stream: true }, '-N', '-i');
      const [headers = '', ...stream] = stdout.split('\r\n\r\n');
      assert.match(headers, /^HTTP\/1\.1 200 OK/);
      assert.match(headers, /^content-type: text\/event-stream/m);
      assert.match(headers, /^x-hearth-backend: real\r$/m);
      assert.deepEqual(told(stream.join('')), {
        ...told(stream.join('')),
        text: whole.choices[0]?.text,
        done: true,
      });
      await assert.rejects(curl({ prompt: 7 }), /400/);
    });
  });
});

describe('bridge: OpenAI’s own client', () => {
  it('puts the streamed calls of tools together, as it does with OpenAI’s', async () => {
    const call = (index: number, call: object) => ({
      choices: [{ index: 0, delta: { tool_calls: [{ index, ...call }] } }],
    });
    const chunks = [
      { choices: [{ index: 0, delta: { role: 'assistant', content: null } }] },
      call(0, { id: 'call_a', type: 'function', function: { name: 'read_file', arguments: '' } }),
      call(0, { function: { arguments: '{"path":' } }),
      call(0, { function: { arguments: '"a.ts"}' } }),
      call(1, { id: 'call_b', type: 'function', function: { name: 'list', arguments: '{}' } }),
      { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
    ];
    const frame = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };
    const steps: Step[] = [
      head,
      ...chunks.map((chunk) => write(`data: ${JSON.stringify({ ...frame, ...chunk })}\n\n`)),
      done,
      end,
    ];
    await using backend = await startScriptedServer(steps);
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT));
    const tools = ['read_file', 'list'].map((name) => ({
      type: 'function' as const,
      function: { name, parameters: { type: 'object', properties: {} } },
    }));
    const body = { model: 'coder', messages: HELLO, tools, tool_choice: 'auto' as const };
    const wanted = [
      ['call_a', 'read_file', '{"path":"a.ts"}'],
      ['call_b', 'list', '{}'],
    ];
    const client = clientOf(bridge);
    for (const reply of [
      await client.chat.completions.stream(body).finalChatCompletion(),
      await client.chat.completions.create(body),
    ]) {
      const { message, finish_reason } = reply.choices[0] ?? {};
      const calls = message?.tool_calls?.map((one) =>
        one.type === 'function' ? [one.id, one.function.name, one.function.arguments] : [],
      );
      assert.deepEqual([calls, finish_reason], [wanted, 'tool_calls']);
    }
    assert.deepEqual(backend.seen[0]?.body.tools, tools);
    assert.equal(backend.seen[0]?.body.tool_choice, 'auto');
  });

  it('throws its own errors for ours', async () => {
    await using first = await startFakeBackend(answersStatus(500));
    await using second = await startFakeBackend(answersStatus(400, 'temperature is too high for me'));
    const config = twoBackends(first.url, second.url, PATIENT);
    await using bridge = await startBridge({ ...config, auth: { mode: 'keys' } });
    using keys = new KeyStore(bridge.stateDir);
    const NEW_KEY = { name: 'ann', expiresAt: undefined, bindIp: undefined };
    const { key } = keys.create({ ...NEW_KEY, scopes: ['inference'] }, new Date());
    const { key: other } = keys.create({ ...NEW_KEY, scopes: ['index'] }, new Date());
    const ask = async (model: string, apiKey: string, more = {}) =>
      await clientOf(bridge, apiKey).completions.create({ model, prompt: 'x', ...more });
    for (const [ask_, type, status, code] of [
      [() => ask('coder', 'hk_wrong_key'), OpenAI.AuthenticationError, 401, 'invalid_api_key'],
      [() => ask('coder', other.reveal()), OpenAI.PermissionDeniedError, 403, 'forbidden'],
      [() => ask('gpt-4', key.reveal()), OpenAI.NotFoundError, 404, 'model_not_found'],
      [() => ask('coder', key.reveal(), { max_tokens: -1 }), OpenAI.BadRequestError, 400, 'invalid_request'],
      [() => ask('second', key.reveal()), OpenAI.BadRequestError, 400, 'invalid_request'],
      [() => ask('first', key.reveal()), OpenAI.InternalServerError, 503, 'no_backend'],
    ] as const)
      await assert.rejects(ask_, (error: InstanceType<typeof OpenAI.APIError>) => {
        assert.ok(error instanceof type, `${code}: ${error.constructor.name}`);
        assert.deepEqual([error.status, error.code], [status, code]);
        assert.match(error.requestID ?? '', /^req_/);
        return true;
      });
  });

  it('throws when an answer breaks off amid its stream, after what has come of it', async () => {
    await using backend = await startFakeBackend(saysThenDies('par', 'tial'));
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT));
    const stream = await clientOf(bridge).chat.completions.create({
      model: 'coder',
      messages: HELLO,
      stream: true,
    });
    let text = '';
    await assert.rejects(
      async () => {
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
      },
      (error: InstanceType<typeof OpenAI.APIError>) =>
        error instanceof OpenAI.APIError && error.code === 'backend_lost' && /broke off/.test(error.message),
    );
    assert.equal(text, 'partial');
  });

  it('comes again by itself when it is told to', async () => {
    await using backend = await startFakeBackend(answersStatus(500));
    await using bridge = await startBridge({
      ...twoBackends(backend.url, backend.url, PATIENT),
      models: [{ id: 'coder', backends: ['first'] }],
    });
    const client = new OpenAI({ baseURL: `${bridge.url}/v1`, apiKey: 'none', maxRetries: 3 });
    const asked = client.completions.create({ model: 'coder', prompt: 'x' });
    while (backend.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    backend.behave(says('well again'));
    assert.equal((await asked).choices[0]?.text, 'well again');
  });

  it('takes its request back when it is aborted, streaming or not', async () => {
    await using backend = await startFakeBackend(hangs);
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT));
    const client = clientOf(bridge);
    const abort = new AbortController();
    const whole = client.completions.create({ model: 'coder', prompt: 'x' }, { signal: abort.signal });
    while (backend.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    await assert.rejects(whole, OpenAI.APIUserAbortError);
    assert.equal(await backend.seen[0]?.closed, 'aborted');

    backend.behave(saysThenHangs('a', 'b'));
    const stream = await client.completions.create({ model: 'coder', prompt: 'x', stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.text === 'b') break;
    assert.equal(await backend.seen[1]?.closed, 'aborted');
  });
});

describe('bridge: documents (rerank, embeddings)', () => {
  const json = (status: number, body: object): Step[] => [
    { do: 'head', status, type: 'application/json' },
    write(JSON.stringify(body)),
    end,
  ];
  const ranked = { model: 'm', results: [{ index: 1, relevance_score: 0.9 }], usage: { total_tokens: 9 } };
  const asked = {
    model: 'coder',
    query: 'q',
    documents: ['a', { text: 'b' }],
    top_n: 1,
    return_documents: false,
  };

  it('a rerank goes through as it is, and comes back as it is', async () => {
    await using backend = await startScriptedServer(json(200, ranked));
    const serves = { ...PATIENT, serves: ['rerank'] };
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, serves));
    const reply = await post(bridge.url, '/v1/rerank', asked);
    assert.equal(reply.headers.get('content-type'), 'application/json; charset=utf-8');
    assert.deepEqual(await reply.json(), ranked);
    assert.deepEqual(backend.seen[0], { path: '/v1/rerank', body: { ...asked, model: 'first-model' } });
  });

  for (const [title, steps, kill] of [
    ['answers 500', json(500, {}), false],
    [
      'breaks off amid its document',
      [{ do: 'head', type: 'application/json' }, write('{"resu'), { do: 'reset' }],
      false,
    ],
    ['is killed before it answers', [hold], true],
    ['is killed amid its document', [{ do: 'head', type: 'application/json' }, write('{"resu'), hold], true],
  ] as [string, Step[], boolean][])
    it(`a backend that ${title}: the next one answers, unseen`, async () => {
      await using first = await startScriptedServer(steps);
      await using second = await startScriptedServer(json(200, ranked));
      const serves = { ...PATIENT, serves: ['rerank', 'embedding'] };
      await using bridge = await startBridge(twoBackends(first.url, second.url, serves));
      const replying = post(bridge.url, '/v1/rerank', asked);
      if (kill) {
        await first.held();
        await first.killed();
      }
      const reply = await replying;
      assert.deepEqual(await reply.json(), ranked);
      assert.equal(reply.headers.get('x-hearth-backend'), 'second');
      assert.equal(reply.headers.get('x-hearth-attempts'), '2');
    });
});
