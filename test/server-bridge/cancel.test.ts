import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { startBridge, twoBackends, type RunningBridge } from '../support/bridge.ts';
import { post, statusOf, untilIdle, untilStatus } from '../support/bridge-client.ts';
import {
  answersStatus,
  hangs,
  says,
  saysThenHangs,
  startFakeBackend,
  startStream,
  type Behaviour,
  type FakeBackend,
} from '../support/fake-backend.ts';
import { readUntil, sendRaw } from '../support/raw-client.ts';
import { eventually, startEngine, type RunningEngine } from '../engine-llama/engine-process.ts';

const COMPLETION = '/v1/completions';
const MESSAGES = { messages: [{ role: 'user', content: 'x' }] };
const RUNS = 30;
/** Of the median, from the client's leaving to the backend's hearing of it. A slow machine has slow ones among them. */
const LIMIT_MS = 50;
const PATIENT = {
  max_concurrency: 8,
  serves: ['completion', 'chat', 'embedding'],
  timeouts: { connect: '10s', first_token: '60s', stall: '60s' },
};

interface Leaving {
  path: string;
  body: object;
  /** What the preferred backend does, and which of the two has to hear of it. */
  first: Behaviour;
  heardBy?: 'first' | 'second';
  /** Resolves when the client is to leave. */
  when?: (socket: Awaited<ReturnType<typeof sendRaw>>) => Promise<unknown>;
}

/** Sends as fast as it is taken, and never ends. */
function floods(response: ServerResponse, flooding: { written: number }): void {
  startStream(response);
  const piece = `data: ${JSON.stringify({ choices: [{ index: 0, text: 'x'.repeat(30_000) }] })}\n\n`;
  const pump = () => {
    do flooding.written++;
    while (response.write(piece));
  };
  response.on('drain', pump);
  pump();
}

describe('bridge: a client that leaves is noticed by the backend', () => {
  const flooding = { written: 0 };
  const standsStill = async () => {
    for (let before = -1; before !== flooding.written;) {
      before = flooding.written;
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  };
  const mid = (socket: Awaited<ReturnType<typeof sendRaw>>) => readUntil(socket, '"a"');
  const stream = { stream: true };
  const states: [string, Leaving][] = [
    ['before the headers', { path: COMPLETION, body: { prompt: 'x', ...stream }, first: hangs }],
    ['before the headers, not streaming', { path: COMPLETION, body: { prompt: 'x' }, first: hangs }],
    ['before the headers, in a chat', { path: '/v1/chat/completions', body: MESSAGES, first: hangs }],
    ['before the first token', { path: COMPLETION, body: { prompt: 'x', ...stream }, first: startStream }],
    [
      'mid-stream',
      { path: COMPLETION, body: { prompt: 'x', ...stream }, first: saysThenHangs('a'), when: mid },
    ],
    ['mid-answer, not streaming', { path: COMPLETION, body: { prompt: 'x' }, first: saysThenHangs('a') }],
    [
      'with /infill',
      { path: '/infill', body: { input_prefix: 'x', ...stream }, first: saysThenHangs('a'), when: mid },
    ],
    ['waiting for embeddings', { path: '/v1/embeddings', body: { input: 'x' }, first: hangs }],
    [
      'after a backend has failed it unseen',
      { path: COMPLETION, body: { prompt: 'x', ...stream }, first: answersStatus(500), heardBy: 'second' },
    ],
    [
      'while it reads nothing and the backend is held up',
      {
        path: COMPLETION,
        body: { prompt: 'x', ...stream },
        first: (response) => floods(response, flooding),
        when: standsStill,
      },
    ],
  ];

  for (const [title, { path, body, first: behaviour, heardBy = 'first', when }] of states)
    it(`${title}: within ${LIMIT_MS} ms, as a rule`, async () => {
      await using first = await startFakeBackend(behaviour);
      await using second = await startFakeBackend(hangs);
      await using bridge = await startBridge(twoBackends(first.url, second.url, PATIENT));
      const backend = heardBy === 'first' ? first : second;
      const times: number[] = [];
      // The one that waits until nothing moves takes its time.
      const runs = when === standsStill ? RUNS / 3 : RUNS;
      for (let run = 0; run < runs; run++) {
        // Or it would be down soon, and nobody would have to fail over.
        if (heardBy === 'second') {
          first.behave(says('well again'));
          await (await post(bridge.url, path, body)).text();
          first.behave(behaviour);
        }
        const before = first.seen.length;
        const arrived = arrival(backend);
        // A backend that fails each request soon gets none: the pinned one is asked again by name.
        const socket = await sendRaw(bridge.url, path, body);
        const seen = await arrived;
        await when?.(socket);
        const since = performance.now();
        socket.destroy();
        assert.equal(await seen.closed, 'aborted');
        times.push(performance.now() - since);
        assert.equal(first.seen.length, before + 1);
      }
      const median = times.toSorted((a, b) => a - b)[Math.floor(runs / 2)] ?? Infinity;
      assert.ok(median < LIMIT_MS, times.map((ms) => ms.toFixed(1)).join(' '));
      await untilIdle(bridge.url);
    });

  it('while it waits in the queue: it is never asked, and who stood behind it moves up', async () => {
    for (const body of [{ prompt: 'x', stream: true }, { prompt: 'x' }]) {
      await using first = await startFakeBackend(hangs);
      await using bridge = await startBridge(alone(first));
      const running = await sendRaw(bridge.url, COMPLETION, body);
      await queued(bridge, 0, 1);
      const waiting = await sendRaw(bridge.url, COMPLETION, { ...body, prompt: 'leaves' });
      await queued(bridge, 1, 1);
      const behind = post(bridge.url, COMPLETION, { ...body, prompt: 'stays' });
      await queued(bridge, 2, 1);
      waiting.destroy();
      await queued(bridge, 1, 1);
      first.behave(says('answered'));
      running.destroy();
      assert.match(await (await behind).text(), /answered/);
      assert.deepEqual(
        first.seen.map((one) => one.body.prompt),
        ['x', 'stays'],
      );
      await untilIdle(bridge.url);
    }
  });

  it('while it waits for a place at the next backend, having lost its first', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend(hangs);
    await using bridge = await startBridge(
      twoBackends(first.url, second.url, { ...PATIENT, max_concurrency: 1 }),
    );
    const taken = await sendRaw(bridge.url, COMPLETION, { prompt: 'x', model: 'second' });
    await untilStatus(bridge.url, ({ backends }) => backends[1]?.in_flight === 1);
    first.behave(answersStatus(500));
    const failing = await sendRaw(bridge.url, COMPLETION, { prompt: 'leaves' });
    await untilStatus(bridge.url, ({ backends }) => backends[1]?.queued === 1);
    failing.destroy();
    await untilStatus(bridge.url, ({ backends }) => backends[1]?.queued === 0);
    taken.destroy();
    await untilIdle(bridge.url);
    assert.equal(second.seen.length, 1);
  });

  it('hundreds at once, each at a moment of its own: nothing is left of them', async () => {
    await using first = await startFakeBackend((response, seen) =>
      seen.body.prompt === 'hangs' ? hangs(response, seen) : saysThenHangs('a', 'b')(response, seen),
    );
    await using second = await startFakeBackend(hangs);
    await using bridge = await startBridge(twoBackends(first.url, second.url, PATIENT));
    await Promise.all(
      Array.from({ length: 300 }, async (_, number) => {
        const prompt = number % 2 === 0 ? 'hangs' : 'says';
        const socket = await sendRaw(bridge.url, COMPLETION, { prompt, stream: number % 3 > 0 });
        for (let turn = number % 10; turn > 0; turn--) await new Promise((resolve) => setImmediate(resolve));
        socket.destroy();
      }),
    );
    await untilIdle(bridge.url);
    const ends = await Promise.all([...first.seen, ...second.seen].map(async (one) => await one.closed));
    assert.ok(ends.every((end) => end === 'aborted'));
    first.behave(says('as before'));
    assert.match(await (await post(bridge.url, COMPLETION, { prompt: 'x' })).text(), /as before/);
  });
});

describe('bridge: a client that leaves stops the real engine', function () {
  this.timeout(60_000);
  let engine: RunningEngine;
  let bridge: RunningBridge;
  before(async () => {
    engine = await startEngine('--parallel', '2');
    bridge = await startBridge({
      backends: [{ id: 'real', engine: 'llamacpp', url: engine.url, model: 'm', fim: 'qwen', context: 4096 }],
      models: [{ id: 'coder', backends: ['real'] }],
    });
  });
  after(async () => {
    await bridge[Symbol.asyncDispose]();
    await engine.stop();
  });
  const counted = async () => [
    await engine.metric('tokens_predicted_total'),
    await engine.metric('prompt_tokens_total'),
  ];

  for (const stream of [true, false])
    it(`amid an answer, ${stream ? '' : 'not '}streaming: it decodes nothing more`, async () => {
      const [before = 0] = await counted();
      const body = { prompt: 'export function debounce<', temperature: 0, stream };
      const socket = await sendRaw(bridge.url, COMPLETION, body);
      if (stream) await readUntil(socket, 'data: ');
      else await eventually(async () => Number((await engine.metric('tokens_predicted_total')) > before), 1);
      socket.destroy();
      await eventually(() => engine.metric('requests_processing'), 0);
      const stopped = await counted();
      // All of it has 272 tokens.
      assert.ok((stopped[0] ?? 0) - before < 200, `${stopped[0]} after ${before}`);
      await standsStill(counted, stopped);
      assert.equal((await statusOf(bridge.url)).backends[0]?.in_flight, 0);
    });

  it('while it reads a long prompt: it reads no more of it', async () => {
    const [, before = 0] = await counted();
    // Digits aren't in what the model knows: only the reading of them takes time.
    const prompt = '0123456789'.repeat(380);
    const socket = await sendRaw(bridge.url, COMPLETION, { prompt, stream: true });
    await eventually(() => engine.metric('requests_processing'), 1);
    socket.destroy();
    await eventually(() => engine.metric('requests_processing'), 0);
    const stopped = await counted();
    assert.ok((stopped[1] ?? 0) - before < prompt.length / 2, `${stopped[1]} after ${before}`);
    await standsStill(counted, stopped);
  });
});

async function standsStill(read: () => Promise<number[]>, at: number[]): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.deepEqual(await read(), at);
}

/** The next request that gets there. */
async function arrival(backend: FakeBackend): Promise<FakeBackend['seen'][number]> {
  const before = backend.seen.length;
  for (;;) {
    const seen = backend.seen[before];
    if (seen !== undefined) return seen;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One backend with one place. */
function alone(backend: FakeBackend) {
  return {
    ...twoBackends(backend.url, backend.url, { ...PATIENT, max_concurrency: 1 }),
    models: [{ id: 'coder', backends: ['first'] }],
  };
}

async function queued(bridge: RunningBridge, waiting: number, running: number): Promise<void> {
  await untilStatus(bridge.url, ({ backends }) => {
    const [first] = backends;
    return first?.queued === waiting && first.in_flight === running;
  });
}
