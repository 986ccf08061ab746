import assert from 'node:assert/strict';
import { KeyStore } from '../../server-bridge/src/access/key-store.ts';
import { startBridge, twoBackends } from '../support/bridge.ts';
import { after, answersStatus, hangs, says, startFakeBackend } from '../support/fake-backend.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const completion = (body: unknown, headers: Record<string, string> = {}) => ({
  method: 'POST',
  headers: { ...JSON_TYPE, ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

async function errorOf(reply: Response): Promise<Record<string, string>> {
  const { error } = (await reply.json()) as { error: Record<string, string> };
  assert.equal(error.request_id, reply.headers.get('x-request-id'));
  return error;
}

describe('bridge: the HTTP API', () => {
  it('renders suffix in the format of the backend that was chosen, and keeps what is its own', async () => {
    await using first = await startFakeBackend(says('x'));
    await using second = await startFakeBackend(says('x'));
    await using bridge = await startBridge(twoBackends(first.url, second.url));
    const reply = await fetch(
      `${bridge.url}/v1/completions`,
      completion({
        prompt: 'let a = ',
        suffix: ';',
        stop: '\n\n',
        top_k: 5,
        hearth: { repo: 'r', path: 'a.ts', files: [{ path: 'b.ts', text: 'B' }] },
      }),
    );
    assert.equal(reply.status, 200);
    const body = first.seen[0]?.body ?? {};
    assert.equal(
      body.prompt,
      '<|repo_name|>r\n<|file_sep|>b.ts\nB\n<|file_sep|>a.ts\n<|fim_prefix|>let a = <|fim_suffix|>;<|fim_middle|>',
    );
    assert.equal((body.stop as string[])[0], '\n\n');
    assert.ok((body.stop as string[]).includes('<|endoftext|>'));
    assert.equal(body.top_k, 5);
    assert.equal(body.model, 'first-model');
    assert.ok(!('suffix' in body) && !('hearth' in body));
  });

  it('takes llama.cpp’s infill request for every engine, and answers as its server does', async () => {
    await using first = await startFakeBackend(says('Math.', 'PI'));
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url));
    const infill = {
      input_prefix: 'let a = 1;\n',
      prompt: 'let b = ',
      input_suffix: ';',
      n_predict: 9,
      top_k: 5,
      cache_prompt: true,
    };
    const extra = { input_extra: [{ filename: 'c.ts', text: 'C' }] };
    const whole = await fetch(`${bridge.url}/infill`, completion({ ...infill, ...extra }));
    const { content, stop, stop_type } = (await whole.json()) as Record<string, unknown>;
    assert.deepEqual({ content, stop, stop_type }, { content: 'Math.PI', stop: true, stop_type: 'eos' });
    assert.deepEqual(
      { ...first.seen[0]?.body, stop: undefined, stream_options: undefined },
      {
        prompt:
          '<|repo_name|>repository\n<|file_sep|>c.ts\nC\n<|file_sep|>current\n' +
          '<|fim_prefix|>let a = 1;\nlet b = <|fim_suffix|>;<|fim_middle|>',
        model: 'first-model',
        max_tokens: 9,
        top_k: 5,
        stream: true,
        stop: undefined,
        stream_options: undefined,
      },
    );
    const streamed = await (
      await fetch(`${bridge.url}/infill`, completion({ ...infill, stream: true }))
    ).text();
    const events = Array.from(
      streamed.matchAll(/^data: (.*)$/gm),
      ([, data]) => JSON.parse(data ?? '') as Record<string, unknown>,
    );
    assert.deepEqual(
      events.map((event) => [event.content, event.stop]),
      [
        ['Math.', false],
        ['PI', false],
        ['', true],
      ],
    );
  });

  it('keeps half of the context for the text, however long an answer is asked for', async () => {
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url, { context: 1000 }));
    const files = Array.from({ length: 4_000 }, () => ({ path: 'a', text: '' }));
    const body = { prompt: 'let a = ', suffix: ';', max_tokens: 100_000, hearth: { files } };
    await fetch(`${bridge.url}/v1/completions`, completion(body));
    const sent = first.seen[0]?.body ?? {};
    assert.match(String(sent.prompt), /<\|fim_prefix\|>let a = <\|fim_suffix\|>;/);
    assert.equal(sent.max_tokens, 500);
    assert.ok(String(sent.prompt).length < 1000 * 4 * 3);
  });

  it('answers bad input with its code, and goes on serving', async () => {
    await using first = await startFakeBackend(says('fine'));
    await using second = await startFakeBackend();
    await using bridge = await startBridge({ ...twoBackends(first.url, second.url), limits: { body_mb: 1 } });
    const at = `${bridge.url}/v1/completions`;
    for (const [init, status, code, message] of [
      [completion('{"prompt": '), 400, 'invalid_request', /not JSON/],
      [completion(''), 400, 'invalid_request', /JSON/],
      [completion({ prompt: 7 }), 400, 'invalid_request', /prompt/],
      [completion({ prompt: 'x', max_tokens: -1 }), 400, 'invalid_request', /max_tokens/],
      [completion('x', { 'content-type': 'text/plain' }), 400, 'invalid_request', /application\/json/],
      [completion({ prompt: 'x', model: 'gpt-4' }), 404, 'model_not_found', /auto, coder, first, second/],
      [completion({ prompt: 'x'.repeat(20 * 1024 * 1024) }), 413, 'body_too_large', /1 MB/],
    ] as const) {
      const reply = await fetch(at, init);
      assert.equal(reply.status, status, code);
      const error = await errorOf(reply);
      assert.equal(error.code, code);
      assert.match(error.message ?? '', message);
      assert.equal(error.source, 'bridge');
    }
    for (const url of [`${bridge.url}/%`, `${bridge.url}/v1/models?${'x'.repeat(20_000)}`])
      assert.equal((await errorOf(await fetch(url))).code, 'invalid_request');
    const nowhere = await fetch(`${bridge.url}/v2/completions`);
    assert.equal(nowhere.status, 404);
    assert.equal((await errorOf(nowhere)).code, 'not_found');
    assert.equal((await fetch(at, completion({ prompt: 'x' }))).status, 200);
  });

  it('is ready while one model can answer, and says why when none can', async () => {
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url));
    assert.equal((await fetch(`${bridge.url}/ready`)).status, 200);
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
    // Two requests' worth of refused connections are all the bridge needs to know.
    await fetch(`${bridge.url}/v1/completions`, completion({ prompt: 'x' }));
    const reply = await fetch(`${bridge.url}/ready`);
    assert.equal(reply.status, 503);
    assert.match(await reply.text(), /the connection was refused/);
    assert.equal((await fetch(`${bridge.url}/health`)).status, 200);
  });

  it('finishes what runs when it is told to stop, and takes nothing new', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend();
    const bridge = await startBridge(
      twoBackends(first.url, second.url, { timeouts: { first_token: '60s' } }),
    );
    let finish = () => {};
    first.behave(async (response, seen) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      await says('at last')(response, seen);
    });
    const running = fetch(`${bridge.url}/v1/completions`, completion({ prompt: 'x' }));
    while (first.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const closed = bridge.close(10_000);
    const late = await fetch(`${bridge.url}/v1/completions`, completion({ prompt: 'y' }));
    assert.equal(late.status, 503);
    assert.equal((await errorOf(late)).code, 'draining');
    finish();
    assert.match(await (await running).text(), /at last/);
    await closed;
    await assert.rejects(fetch(`${bridge.url}/health`));
  });
});

describe('bridge: stopping', () => {
  it('waits for an answer that has just lost its backend', async () => {
    await using first = await startFakeBackend(after(300, answersStatus(500)));
    await using second = await startFakeBackend(after(300, says('from second')));
    const bridge = await startBridge(
      twoBackends(first.url, second.url, { timeouts: { first_token: '60s' } }),
    );
    const running = fetch(`${bridge.url}/v1/completions`, completion({ prompt: 'x' }));
    while (first.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await bridge.close(10_000);
    assert.match(await (await running).text(), /from second/);
  });

  it('waits until a large answer has left', async () => {
    const piece = 'x'.repeat(1_000_000);
    await using first = await startFakeBackend(says(...Array.from({ length: 20 }, () => piece)));
    await using second = await startFakeBackend();
    const bridge = await startBridge(twoBackends(first.url, second.url));
    const reply = await fetch(`${bridge.url}/v1/completions`, completion({ prompt: 'x' }));
    const closed = bridge.close(10_000);
    const { choices } = (await reply.json()) as { choices: { text: string }[] };
    assert.equal(choices[0]?.text.length, 20_000_000);
    await closed;
  });
});

describe('bridge: keys and tokens', () => {
  const NEW_KEY = { name: 'ann', scopes: ['inference' as const], expiresAt: undefined, bindIp: undefined };

  it('lets in a key, or a token made from it, until the key is revoked; nothing of either is logged', async () => {
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    await using bridge = await startBridge({ ...twoBackends(first.url, second.url), auth: { mode: 'keys' } });
    using keys = new KeyStore(bridge.stateDir);
    const { record, key } = keys.create(NEW_KEY, new Date());
    const models = async (credential: Record<string, string>) =>
      (await fetch(`${bridge.url}/v1/models`, { headers: credential })).status;

    assert.equal(await models({}), 401);
    assert.equal(await models({ authorization: `Bearer ${key.reveal()}x` }), 401);
    assert.equal(await models({ authorization: `Bearer ${key.reveal()}` }), 200);
    assert.equal(await models({ 'x-api-key': key.reveal() }), 200);

    const exchanged = await fetch(`${bridge.url}/hearth/v1/token`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key.reveal()}` },
    });
    const { token, expires_at } = (await exchanged.json()) as { token: string; expires_at: string };
    const minutes = (Date.parse(expires_at) - Date.now()) / 60_000;
    assert.ok(minutes > 14 && minutes <= 15);
    assert.equal(await models({ authorization: `Bearer ${token}` }), 200);
    const renewed = await fetch(`${bridge.url}/hearth/v1/token`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(renewed.status, 401, 'a token must not renew itself');
    const forged = `${token.slice(0, -4)}AAAA`;
    assert.equal(await models({ authorization: `Bearer ${forged}` }), 401);

    assert.ok(keys.revoke(record.id, new Date()));
    assert.equal(await models({ authorization: `Bearer ${key.reveal()}` }), 401);
    assert.equal(await models({ authorization: `Bearer ${token}` }), 401);
    const log = bridge.logged.join('');
    // The secret's own alphabet has a `_` in it: split there, it may come out empty.
    const [, secretPart = ''] = /^hk_[^_]+_(.+)$/.exec(key.reveal()) ?? [];
    for (const secret of [key.reveal(), secretPart, token]) assert.ok(!log.includes(secret));
  });

  it('refuses a key that is expired, bound to another address, or lacks the scope', async () => {
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    await using bridge = await startBridge({ ...twoBackends(first.url, second.url), auth: { mode: 'keys' } });
    using keys = new KeyStore(bridge.stateDir);
    for (const [changes, status] of [
      [{ expiresAt: new Date(Date.now() - 1) }, 401],
      [{ bindIp: '10.77.0.9' }, 401],
      [{ bindIp: '127.0.0.1' }, 200],
      [{ scopes: ['index' as const] }, 403],
    ] as const) {
      const { key } = keys.create(
        { ...NEW_KEY, ...changes, scopes: [...('scopes' in changes ? changes.scopes : NEW_KEY.scopes)] },
        new Date(),
      );
      const reply = await fetch(`${bridge.url}/v1/models`, { headers: { 'x-api-key': key.reveal() } });
      assert.equal(reply.status, status);
    }
  });
});
