import assert from 'node:assert/strict';
import { startBridge, twoBackends } from '../support/bridge.ts';
import { errorIn, post, statusOf, told, untilIdle, untilStatus } from '../support/bridge-client.ts';
import { hangs, says, saysThenHangs, startFakeBackend, type Behaviour } from '../support/fake-backend.ts';
import { readUntil, sendRaw } from '../support/raw-client.ts';

const COMPLETION = '/v1/completions';
const PATIENT = {
  max_concurrency: 1,
  serves: ['completion', 'chat', 'embedding'],
  timeouts: { connect: '10s', first_token: '60s', stall: '60s' },
};
const priority = (name: string) => ({ headers: { 'x-hearth-priority': name } });
const supersede = (token: string) => ({ headers: { 'x-hearth-supersede': token } });

/** One backend with one place, taken by a request that runs until it is told to leave. */
async function busy(limits: object = {}, behaviour: Behaviour = hangs) {
  const backend = await startFakeBackend(behaviour);
  const bridge = await startBridge({
    ...twoBackends(backend.url, backend.url, PATIENT),
    models: [{ id: 'coder', backends: ['first'] }],
    limits,
  });
  const running = await sendRaw(bridge.url, COMPLETION, { prompt: 'running', stream: true });
  await untilStatus(bridge.url, ({ backends }) => backends[0]?.in_flight === 1);
  return {
    backend,
    bridge,
    running,
    waiting: async (count: number) =>
      await untilStatus(bridge.url, ({ backends }) => backends[0]?.queued === count),
    async [Symbol.asyncDispose]() {
      running.destroy();
      await bridge[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

describe('bridge: priorities', () => {
  it('one that isn’t known is refused by name, and nothing is asked of a backend', async () => {
    await using backend = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(backend.url, backend.url));
    for (const wrong of ['urgent', '', 'Batch', 'chat,batch']) {
      const reply = await post(bridge.url, COMPLETION, { prompt: 'x' }, priority(wrong));
      assert.equal(reply.status, 400);
      const { code, param, message } = await errorIn(reply);
      assert.deepEqual([code, param], ['invalid_request', 'x-hearth-priority']);
      assert.match(message ?? '', /interactive, chat, batch/);
    }
    assert.equal(backend.seen.length, 0);
    for (const right of ['interactive', 'chat', 'batch'])
      assert.equal((await post(bridge.url, COMPLETION, { prompt: 'x' }, priority(right))).status, 200);
    await untilIdle(bridge.url);
  });

  it('interactive overtakes chat, and chat a batch; of the same class the first comes first', async () => {
    await using parts = await busy();
    const { bridge, backend } = parts;
    const messages = [{ role: 'user', content: 'chat' }];
    const asks = [
      () => post(bridge.url, COMPLETION, { prompt: 'batch' }, priority('batch')),
      () => post(bridge.url, '/v1/embeddings', { input: 'batch by its kind' }),
      () => post(bridge.url, '/v1/chat/completions', { messages }),
      () => post(bridge.url, COMPLETION, { prompt: 'interactive' }),
      () => post(bridge.url, COMPLETION, { prompt: 'interactive, later' }),
    ];
    const replies = [];
    for (const ask of asks) {
      replies.push(ask());
      await parts.waiting(replies.length);
    }
    backend.behave((response, seen) =>
      seen.path.includes('embeddings') ? void response.end('{"data":[]}') : says('done')(response, seen),
    );
    parts.running.destroy();
    for (const reply of await Promise.all(replies)) {
      assert.equal(reply.status, 200);
      assert.ok(Number(reply.headers.get('x-hearth-queue-ms')) > 0);
      await reply.text();
    }
    const order = backend.seen.slice(1).map(({ body }) => body.prompt ?? body.input ?? 'chat');
    assert.deepEqual(order, ['interactive', 'interactive, later', 'chat', 'batch', 'batch by its kind']);
  });

  it('a full queue sends away whoever would be last, and says when to come again', async () => {
    await using parts = await busy({ queue: 2 });
    const { bridge, backend } = parts;
    const batches = ['one', 'two'].map((prompt) =>
      post(bridge.url, COMPLETION, { prompt }, priority('batch')),
    );
    await parts.waiting(2);
    const refusedAtOnce = await post(bridge.url, COMPLETION, { prompt: 'three' }, priority('batch'));
    await refused(refusedAtOnce);
    // Somebody more urgent comes: now it is the last batch that can't be held.
    const interactive = post(bridge.url, COMPLETION, { prompt: 'interactive', stream: true });
    await refused((await batches[1]) ?? Response.error());
    backend.behave(says('done'));
    parts.running.destroy();
    assert.equal(told(await (await interactive).text()).text, 'done');
    assert.equal((await batches[0])?.status, 200);
    assert.deepEqual(
      backend.seen.map(({ body }) => body.prompt),
      ['running', 'interactive', 'one'],
    );
  });

  it('who waited as long as makes sense is told so: an interactive request after 5 s', async () => {
    await using parts = await busy();
    const since = performance.now();
    const interactive = post(parts.bridge.url, COMPLETION, { prompt: 'x', stream: true });
    const batch = post(parts.bridge.url, COMPLETION, { prompt: 'batch' }, priority('batch'));
    const reply = await interactive;
    const waited = performance.now() - since;
    await refused(reply, /no free place for 5 s/);
    assert.ok(waited > 4_900 && waited < 15_000, `${waited}`);
    await parts.waiting(1);
    parts.backend.behave(says('later'));
    parts.running.destroy();
    assert.match(await (await batch).text(), /later/);
  });
});

describe('bridge: supersede', () => {
  it('a newer request takes the older one out of the queue with 409, and stands there itself', async () => {
    await using parts = await busy();
    const { bridge, backend } = parts;
    const replies = [];
    for (const stream of [true, false, true]) {
      replies.push(
        post(bridge.url, COMPLETION, { prompt: `typed ${replies.length}`, stream }, supersede('editor')),
      );
      // Another editor's aren't concerned.
      if (replies.length === 1) {
        replies.push(post(bridge.url, COMPLETION, { prompt: 'another editor' }, supersede('other')));
        await parts.waiting(2);
      }
      if (replies.length > 2) await isSuperseded(await replies[replies.length === 3 ? 0 : 2]);
    }
    await parts.waiting(2);
    backend.behave(says('done'));
    parts.running.destroy();
    assert.equal((await replies[1])?.status, 200);
    assert.equal(told(await ((await replies[3]) ?? Response.error()).text()).text, 'done');
    const asked = backend.seen.map(({ body }) => body.prompt);
    assert.deepEqual(asked, ['running', 'another editor', 'typed 3']);
  });

  it('one that is running is taken from its backend: 409, or its end inside the stream', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend(hangs);
    await using bridge = await startBridge(
      twoBackends(first.url, second.url, { ...PATIENT, max_concurrency: 4 }),
    );
    const silent = post(bridge.url, COMPLETION, { prompt: 'silent', stream: true }, supersede('editor'));
    await untilStatus(bridge.url, ({ backends }) => backends[0]?.in_flight === 1);
    first.behave(saysThenHangs('begun'));
    const begun = await sendRaw(
      bridge.url,
      COMPLETION,
      { prompt: 'begun', stream: true },
      supersede('editor').headers,
    );
    await isSuperseded(await silent);
    assert.equal(await first.seen[0]?.closed, 'aborted');
    await readUntil(begun, 'begun');
    first.behave(says('newest'));
    const newest = await post(bridge.url, COMPLETION, { prompt: 'newest' }, supersede('editor'));
    assert.match(await newest.text(), /newest/);
    const rest = await readUntil(begun, 'superseded');
    assert.ok(!rest.includes('[DONE]'));
    assert.equal(await first.seen[1]?.closed, 'aborted');
    begun.destroy();
    await untilIdle(bridge.url);
    // Nobody was at fault.
    assert.deepEqual(
      (await statusOf(bridge.url)).backends.map(({ state }) => state),
      ['up', 'up'],
    );
  });

  it('a burst, as of somebody who types: each is answered or superseded, and nothing is left of it', async () => {
    await using first = await startFakeBackend(says('answered'));
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url, PATIENT));
    const replies = await Promise.all(
      Array.from({ length: 100 }, async (_, number) => {
        const reply = await post(bridge.url, COMPLETION, { prompt: `${number}` }, supersede('editor'));
        return { status: reply.status, text: await reply.text() };
      }),
    );
    assert.ok(replies.every(({ status }) => status === 200 || status === 409));
    assert.ok(replies.some(({ status }) => status === 200));
    await untilIdle(bridge.url);
  });
});

async function isSuperseded(reply: Response | undefined): Promise<void> {
  assert.equal(reply?.status, 409);
  assert.equal((await errorIn(reply)).code, 'superseded');
}

async function refused(reply: Response, message = /requests are waiting already/): Promise<void> {
  assert.equal(reply.status, 503);
  const seconds = Number(reply.headers.get('retry-after'));
  assert.ok(Number.isInteger(seconds) && seconds > 0, `${seconds}`);
  const error = await errorIn(reply);
  assert.equal(error.code, 'queue_full');
  assert.match(error.message ?? '', message);
}
