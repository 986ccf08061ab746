/** What the bridge believes of a backend, and what it doesn't: by health check, counters, canary and passing answers. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { bridgeStatus, type BackendStatus } from '@hearth/protocol';
import { startBridge, twoBackends } from '../support/bridge.ts';
import {
  answersStatus,
  hangs,
  says,
  saysThenHangs,
  startFakeBackend,
  type FakeBackend,
} from '../support/fake-backend.ts';

/** A model server of vLLM's kind: health that always answers 200, and counters as the test sets them. */
function asVllm(backend: FakeBackend) {
  const counters = { running: 0, waiting: 0, tokens: 0, kv: 0, started: 1 };
  backend.get((path: string, response: ServerResponse) => {
    if (path !== '/metrics') {
      response.end('{}');
      return;
    }
    response.end(
      [
        `vllm:num_requests_running{engine="0"} ${counters.running}`,
        `vllm:num_requests_waiting{engine="0"} ${counters.waiting}`,
        `vllm:kv_cache_usage_perc{engine="0"} ${counters.kv}`,
        `vllm:iteration_tokens_total_count{engine="0"} ${counters.tokens}`,
        `process_start_time_seconds ${counters.started}`,
        '',
      ].join('\n'),
    );
  });
  return counters;
}

async function statusOf(url: string): Promise<BackendStatus> {
  const reply = await fetch(`${url}/hearth/v1/status`);
  const [first] = bridgeStatus.parse(await reply.json()).backends;
  assert.ok(first);
  return first;
}

async function until(url: string, holds: (status: BackendStatus) => boolean): Promise<BackendStatus> {
  for (;;) {
    const status = await statusOf(url);
    if (holds(status)) return status;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const ask = async (url: string, body: Record<string, unknown> = {}) =>
  await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'x', ...body }),
  });

describe('bridge: a backend’s health', () => {
  it('is proved by a canary of a fixed seed before the first request', async () => {
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url));
    assert.equal(first.canaries.length, 1);
    const { seed, temperature, prompt } = first.canaries[0]?.body ?? {};
    assert.deepEqual([seed, temperature], [1, 0]);
    assert.match(String(prompt), /<\|fim_middle\|>$/);
    assert.equal((await statusOf(bridge.url)).state, 'up');
  });

  it('is bad when it talks nonsense, whatever its health check says; requests go elsewhere until it makes sense', async () => {
    await using first = await startFakeBackend(says('!!!!!!!!!!!!!!!!'));
    await using second = await startFakeBackend(says('from second'));
    first.proveBy(says('!!!!!!!!!!!!!!!!'));
    await using bridge = await startBridge(twoBackends(first.url, second.url, { serves: ['completion'] }));
    const { state, reason } = await statusOf(bridge.url);
    assert.equal(state, 'down');
    assert.match(reason ?? '', /!/);
    assert.equal((await ask(bridge.url)).headers.get('x-hearth-backend'), 'second');
    assert.equal(first.seen.length, 0);
    first.proveBy(says('Math.min(Math.max(value, low), high);'));
    await until(bridge.url, (status) => status.state === 'up');
  });

  it('is good for chat where only its completions are wrong, and says so', async () => {
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    first.proveBy((response, seen) => {
      const isChat = seen.path.includes('chat');
      return says(isChat ? 'ready' : 'Sure! Here is the code:\n```ts\nreturn 1\n```')(response, seen);
    });
    await using bridge = await startBridge(twoBackends(first.url, second.url));
    const chat = await fetch(`${bridge.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }] }),
    });
    assert.equal(chat.headers.get('x-hearth-backend'), 'first');
    const fim = await ask(bridge.url, { suffix: '' });
    assert.equal(fim.headers.get('x-hearth-backend'), 'second');
    const pinned = await ask(bridge.url, { suffix: '', model: 'first' });
    assert.match(JSON.stringify(await pinned.json()), /can't fill in the middle: .*Markdown/);
  });

  it('is bad when its requests stand still, although its health check and its counters’ page answer', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend();
    const counters = asVllm(first);
    const timeouts = { connect: '500ms', first_token: '1s', stall: '1s' };
    await using bridge = await startBridge(twoBackends(first.url, second.url, { engine: 'vllm', timeouts }));
    // Somebody else's requests: none of ours fails, and still it is seen.
    counters.running = 2;
    counters.tokens = 10;
    const { reason } = await until(bridge.url, (status) => status.state === 'down');
    assert.match(reason ?? '', /no token for .* s while 2 requests run/);
    assert.equal(first.canaries.length, 1, 'a busy backend is not asked to infer');
    // It gets on with them: that is proof enough, and again no canary.
    const moving = setInterval(() => counters.tokens++, 50);
    try {
      await until(bridge.url, (status) => status.state === 'up');
    } finally {
      clearInterval(moving);
    }
    assert.equal(first.canaries.length, 1);
  });

  it('is good while a long prompt is read: the counters move, and one slow first token is only a suspicion', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend(says('second'));
    const counters = asVllm(first);
    const timeouts = { connect: '500ms', first_token: '700ms', stall: '700ms' };
    await using bridge = await startBridge(twoBackends(first.url, second.url, { engine: 'vllm', timeouts }));
    counters.running = 1;
    const moving = setInterval(() => counters.tokens++, 20);
    try {
      assert.equal((await ask(bridge.url)).headers.get('x-hearth-backend'), 'second');
      assert.equal((await statusOf(bridge.url)).state, 'suspect');
    } finally {
      clearInterval(moving);
    }
  });

  it('is bad at once when streams stop amid their answers', async () => {
    await using first = await startFakeBackend(saysThenHangs('par', 'tial'));
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url));
    await (await ask(bridge.url, { stream: true })).text();
    const { state, reason } = await statusOf(bridge.url);
    assert.equal(state, 'down');
    assert.match(reason ?? '', /^no token for 0\.\d s while 1 request runs$/);
    // Down, and its health check answers: what brings it back is a canary.
    const before = first.canaries.length;
    await until(bridge.url, (status) => status.state === 'up');
    assert.equal(first.canaries.length, before + 1);
  });

  it('is proved anew when its process is another, before it gets anything', async () => {
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    const counters = asVllm(first);
    await using bridge = await startBridge(twoBackends(first.url, second.url, { engine: 'vllm' }));
    assert.equal(first.canaries.length, 1);
    counters.started = 2;
    first.proveBy(answersStatus(500));
    await until(bridge.url, (status) => status.state === 'down');
    first.proveBy(says('Math.min(Math.max(value, low), high);'));
    await until(bridge.url, (status) => status.state === 'up');
    assert.ok(first.canaries.length >= 3);
  });

  it('is trimmed to by its own tokenizer’s count, before any reply has told', async () => {
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    asVllm(first);
    const context = 1_000;
    await using bridge = await startBridge(twoBackends(first.url, second.url, { engine: 'vllm', context }));
    await ask(bridge.url, { prompt: 'x'.repeat(9_000), suffix: 'y', max_tokens: 100 });
    const tokens = Buffer.byteLength(String(first.seen[0]?.body.prompt)) / 2;
    assert.ok(tokens > 600 && tokens < 900, `${tokens}`);
  });

  it('gives way to its fallback when its KV cache is full or its engine has a queue of its own', async () => {
    await using first = await startFakeBackend(says('first'));
    await using second = await startFakeBackend(says('second'));
    const counters = asVllm(first);
    await using bridge = await startBridge(twoBackends(first.url, second.url, { engine: 'vllm' }));
    const answers = async (id: string) => {
      while ((await ask(bridge.url)).headers.get('x-hearth-backend') !== id)
        await new Promise((resolve) => setTimeout(resolve, 50));
    };
    await answers('first');
    Object.assign(counters, { kv: 0.99 });
    await answers('second');
    assert.equal((await statusOf(bridge.url)).kv_use, 0.99);
    Object.assign(counters, { kv: 0.1 });
    await answers('first');
    Object.assign(counters, { waiting: 50 });
    await answers('second');
  });
});
