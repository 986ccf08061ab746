import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { KeyStore } from '../../server-bridge/src/access/key-store.ts';
import { startBridge, twoBackends } from '../support/bridge.ts';
import { untilStatus } from '../support/bridge-client.ts';
import {
  answersStatus,
  hangs,
  says,
  saysThenDies,
  saysThenHangs,
  startFakeBackend,
  startStream,
  type Behaviour,
} from '../support/fake-backend.ts';
import { freePort } from '../support/free-port.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

async function ask(url: string, path: string, body: unknown, signal?: AbortSignal) {
  return await fetch(url + path, {
    method: 'POST',
    headers: JSON_TYPE,
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

describe('bridge: before the first token, a failing backend is not seen by the client', () => {
  const faults: Record<string, Behaviour> = {
    'answers 500': answersStatus(500),
    'answers 429': answersStatus(429),
    'never answers': hangs,
    'sends headers and no token': startStream,
    'drops the connection': (response) => void response.socket?.destroy(),
    'ends the stream before a token': (response) => {
      startStream(response);
      response.end();
    },
    'reports an error inside the stream': (response) => {
      startStream(response);
      response.end('data: {"error":{"message":"out of memory"}}\n\n');
    },
    'sends an empty chunk and ends': (response) => {
      startStream(response);
      response.end('data: {"choices":null}\n\n');
    },
    'sends what is not JSON': (response) => {
      startStream(response);
      response.end('data: <html>\n\n');
    },
  };
  for (const [title, behaviour] of Object.entries(faults))
    it(`${title}: the next one answers`, async () => {
      await using first = await startFakeBackend(behaviour);
      await using second = await startFakeBackend(says('from ', 'second'));
      await using bridge = await startBridge(twoBackends(first.url, second.url));
      for (const stream of [true, false]) {
        const reply = await ask(bridge.url, '/v1/completions', { model: 'coder', prompt: 'x', stream });
        const text = await reply.text();
        assert.equal(reply.status, 200, text);
        assert.match(text, stream ? /from .*second.*\[DONE\]/s : /"from second"/);
        assert.equal(reply.headers.get('x-hearth-backend'), 'second');
        assert.equal(reply.headers.get('x-hearth-gpu'), 'rx9070xt');
        assert.equal(reply.headers.get('x-hearth-model'), 'coder');
        assert.equal(reply.headers.get('x-hearth-fallback'), '1');
      }
    });

  it('uses a backend again that has come back', async () => {
    const port = await freePort();
    await using second = await startFakeBackend(says('second'));
    await using bridge = await startBridge(twoBackends(`http://127.0.0.1:${port}`, second.url));
    const backend = async () =>
      (await ask(bridge.url, '/v1/completions', { prompt: 'x' })).headers.get('x-hearth-backend');
    assert.equal(await backend(), 'second');
    await using _first = await startFakeBackend(says('first'), port);
    while ((await backend()) !== 'first') await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it('goes to the fallback at once with what waits at a backend that is lost meanwhile', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend(says('second'));
    await using bridge = await startBridge(twoBackends(first.url, second.url, { max_concurrency: 1 }));
    const replies = await Promise.all(
      Array.from({ length: 6 }, async () => await ask(bridge.url, '/v1/completions', { prompt: 'x' })),
    );
    assert.ok(replies.every((reply) => reply.status === 200));
    // It has one place: who waits for it doesn't wait for as long as it is silent, and never one after the other.
    assert.ok(first.seen.length <= 2, `${first.seen.length}`);
  });

  it('counts the attempts and leaves out a backend that is down', async () => {
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(`http://127.0.0.1:${await freePort()}`, second.url));
    const reply = await ask(bridge.url, '/v1/chat/completions', {
      messages: [{ role: 'user', content: 'hi' }],
    });
    assert.equal(reply.status, 200);
    assert.equal(reply.headers.get('x-hearth-attempts'), '1');
    const models = (await (await fetch(`${bridge.url}/v1/models`)).json()) as { data: { hearth: unknown }[] };
    assert.deepEqual(models.data[0]?.hearth, {
      title: 'Coder',
      roles: ['completion', 'chat'],
      context: 8192,
      fim: 'qwen',
      state: 'fallback',
      served_by: 'second',
    });
  });

  it('tells what it can of a reply with empty chunks in it, and keeps no place for it', async () => {
    await using first = await startFakeBackend((response) => {
      startStream(response);
      for (const choices of [
        'null',
        '[{"index":0,"text":"fine"}]',
        'null',
        '[{"index":0,"finish_reason":"stop"}]',
      ])
        response.write(`data: {"choices":${choices}}\n\n`);
      response.end('data: [DONE]\n\n');
    });
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url, { max_concurrency: 1 }));
    for (let request = 0; request < 3; request++) {
      const reply = await ask(bridge.url, '/v1/completions', { prompt: 'x' });
      assert.match(await reply.text(), /"fine"/);
    }
  });

  it("passes a backend's own 4xx on, once", async () => {
    await using first = await startFakeBackend(answersStatus(400, 'temperature is wrong'));
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url));
    const reply = await ask(bridge.url, '/v1/completions', { prompt: 'x' });
    assert.equal(reply.status, 400);
    const { error } = (await reply.json()) as { error: Record<string, string> };
    assert.equal(error.source, 'backend');
    assert.equal(error.message, 'temperature is wrong');
    assert.equal(second.seen.length, 0);
  });

  it('names every backend and its reason when none can answer', async () => {
    await using second = await startFakeBackend(answersStatus(503));
    await using bridge = await startBridge(twoBackends(`http://127.0.0.1:${await freePort()}`, second.url));
    const reply = await ask(bridge.url, '/v1/completions', { prompt: 'x' });
    assert.equal(reply.status, 503);
    assert.ok(Number(reply.headers.get('retry-after')) > 0);
    const { error } = (await reply.json()) as { error: Record<string, string> };
    assert.equal(error.code, 'no_backend');
    assert.match(
      error.message ?? '',
      /first \(down: the connection was refused\); second \(the backend answered 503\)/,
    );
  });

  it('pins a request that names a backend: no fallback', async () => {
    await using first = await startFakeBackend(answersStatus(500));
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url));
    const reply = await ask(bridge.url, '/v1/completions', { model: 'first', prompt: 'x' });
    assert.equal(reply.status, 503);
    assert.equal(second.seen.length, 0);
  });
});

describe('bridge: after the first token, a lost backend is told and never spliced', () => {
  for (const [title, behaviour, code] of [
    ['the backend dies', saysThenDies('par', 'tial'), 'backend_lost'],
    ['the backend goes silent', saysThenHangs('par', 'tial'), 'backend_timeout'],
  ] as const)
    it(`${title}: the stream ends with ${code} and no [DONE]; a whole reply becomes an error`, async () => {
      await using first = await startFakeBackend(behaviour);
      await using second = await startFakeBackend();
      await using bridge = await startBridge(twoBackends(first.url, second.url));
      const reply = await ask(bridge.url, '/v1/completions', { prompt: 'x', stream: true });
      const text = await reply.text();
      assert.match(text, /"par".*"tial"/s);
      assert.ok(!text.includes('[DONE]'), text);
      const last = JSON.parse(text.trimEnd().split('data: ').at(-1) ?? '') as {
        error: Record<string, string>;
      };
      assert.equal(last.error.code, code);
      assert.equal(last.error.source, 'backend');
      assert.equal(last.error.request_id, reply.headers.get('x-request-id'));
      assert.equal(second.seen.length, 0);

      // One that went silent is down, and has to prove itself before it is asked again.
      await untilStatus(bridge.url, ({ backends }) => backends[0]?.state !== 'down');
      const whole = await ask(bridge.url, '/v1/completions', { model: 'first', prompt: 'x' });
      assert.equal(whole.status, code === 'backend_lost' ? 502 : 504);
    });
});

describe('bridge: a client that leaves frees the backend', () => {
  for (const [title, behaviour, stream] of [
    ['before the first token', hangs, true],
    ['before the first token, not streaming', hangs, false],
    ['mid-stream', saysThenHangs('a'), true],
    ['mid-answer, not streaming', saysThenHangs('a'), false],
  ] as const)
    it(title, async () => {
      await using first = await startFakeBackend(behaviour);
      await using second = await startFakeBackend();
      await using bridge = await startBridge(
        twoBackends(first.url, second.url, { timeouts: { connect: '1s', first_token: '60s', stall: '60s' } }),
      );
      const client = new AbortController();
      const reply = ask(bridge.url, '/v1/completions', { prompt: 'x', stream }, client.signal);
      if (stream && behaviour !== hangs) await (await reply).body?.getReader().read();
      else while (first.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      client.abort();
      await reply.catch(() => undefined);
      assert.equal(await first.seen[0]?.closed, 'aborted');
      assert.equal(second.seen.length, 0);
      await placesAreFree(bridge.url);
    });

  it('however early it leaves, with a token that takes time to check', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend(hangs);
    const patient = { timeouts: { first_token: '60s', stall: '60s' } };
    await using bridge = await startBridge({
      ...twoBackends(first.url, second.url, patient),
      auth: { mode: 'keys' },
    });
    using keys = new KeyStore(bridge.stateDir);
    const { key } = keys.create(
      { name: 'pc', scopes: ['inference'], expiresAt: undefined, bindIp: undefined },
      new Date(),
    );
    const headers = { authorization: `Bearer ${key.reveal()}` };
    const given = await fetch(`${bridge.url}/hearth/v1/token`, { method: 'POST', headers });
    const { token } = (await given.json()) as { token: string };
    for (let request = 0; request < 60; request++) {
      const socket = connect(Number(new URL(bridge.url).port), '127.0.0.1');
      await once(socket, 'connect');
      const body = '{"prompt":"x"}';
      socket.write(
        `POST /v1/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\n` +
          `content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      await new Promise((resolve) => setTimeout(resolve, request % 6));
      socket.destroy();
    }
    await placesAreFree(bridge.url, headers);
  });

  it('while it waits for a place', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend();
    const patient = { max_concurrency: 1, timeouts: { connect: '1s', first_token: '60s', stall: '60s' } };
    await using bridge = await startBridge(twoBackends(first.url, second.url, patient));
    const running = new AbortController();
    const waiting = new AbortController();
    const one = ask(bridge.url, '/v1/completions', { prompt: 'one' }, running.signal);
    while (first.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const two = ask(bridge.url, '/v1/completions', { prompt: 'two' }, waiting.signal);
    while ((await loadOf(bridge.url))[0]?.queued !== 1)
      await new Promise((resolve) => setTimeout(resolve, 5));
    waiting.abort();
    await assert.rejects(two);
    while ((await loadOf(bridge.url))[0]?.queued !== 0)
      await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal(first.seen.length, 1);
    running.abort();
    await assert.rejects(one);
    await placesAreFree(bridge.url);
  });

  it('a newer request with the same supersede token cancels the older one', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend();
    await using bridge = await startBridge(
      twoBackends(first.url, second.url, { timeouts: { connect: '1s', first_token: '60s', stall: '60s' } }),
    );
    const send = async () =>
      await fetch(`${bridge.url}/v1/completions`, {
        method: 'POST',
        headers: { ...JSON_TYPE, 'x-hearth-supersede': 'editor-1' },
        body: JSON.stringify({ prompt: 'x' }),
      });
    const older = send();
    while (first.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    first.behave(says('newer'));
    const newer = await send();
    assert.equal(newer.status, 200);
    const superseded = await older;
    assert.equal(superseded.status, 409);
    assert.equal(((await superseded.json()) as { error: { code: string } }).error.code, 'superseded');
    assert.equal(await first.seen[0]?.closed, 'aborted');
  });
});

async function loadOf(url: string, headers = {}): Promise<{ in_flight: number; queued: number }[]> {
  const status = (await (await fetch(`${url}/hearth/v1/status`, { headers })).json()) as {
    backends: { in_flight: number; queued: number }[];
  };
  return status.backends;
}

async function placesAreFree(url: string, headers = {}): Promise<void> {
  while ((await loadOf(url, headers)).some((backend) => backend.in_flight + backend.queued > 0))
    await new Promise((resolve) => setTimeout(resolve, 5));
}
