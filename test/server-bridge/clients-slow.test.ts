import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import { startBridge, twoBackends } from '../support/bridge.ts';
import { post, statusOf, told, untilStatus } from '../support/bridge-client.ts';
import { start, type RunningCommand } from '../support/cli.ts';
import { after as later, hangs, says, startFakeBackend, startStream } from '../support/fake-backend.ts';
import { readUntil, sendRaw } from '../support/raw-client.ts';
import {
  done,
  end,
  finish,
  head,
  hold,
  startScriptedServer,
  token,
  type Step,
} from '../support/scripted-server.ts';

const COMPLETION = '/v1/completions';
const STREAM = { prompt: 'x', stream: true };
const PATIENT = { timeouts: { connect: '10s', first_token: '60s', stall: '60s' }, max_concurrency: 64 };
const MB = 1024 * 1024;

/** One event of a flood, and how many of them are some 64 MB: more than the sockets between can hold. */
const PIECE = 'x'.repeat(64_000);
const EVENT = `data: ${JSON.stringify({ choices: [{ index: 0, text: PIECE }] })}\n\n`;
const TIMES = 1_000;
const FLOOD: Step = { do: 'flood', text: EVENT, times: TIMES };

/** A bridge that is a process of its own, so that its memory is its own, too. */
async function bridgeProcess(backend: string) {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-slow-'));
  const file = join(folder, 'hearth.yaml');
  await writeFile(
    file,
    JSON.stringify({
      ...twoBackends(backend, backend, PATIENT),
      models: [{ id: 'coder', backends: ['first'] }],
      listen: { api: { host: '127.0.0.1', port: 0 } },
      state_dir: folder,
      auth: { mode: 'none' },
    }),
  );
  const bridge = start('hearth-bridge', ['serve', '--config', file, '--log-level', 'warn']);
  const [, url = ''] = await bridge.prints(/on (http:\S+)/);
  return {
    url,
    memory: async () => await residentBytes(bridge),
    async [Symbol.asyncDispose]() {
      await bridge[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function residentBytes({ child }: RunningCommand): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Resolves when it hasn't changed for a while. */
async function standsStill(read: () => number): Promise<number> {
  for (let before = -1; before !== read();) {
    before = read();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  return read();
}

describe('bridge: a client that reads slowly', function () {
  this.timeout(30_000);

  it('holds up the backend and fills no memory; when it reads on, the answer is whole', async function () {
    if (process.platform !== 'linux') this.skip();
    await using backend = await startScriptedServer([head, FLOOD, finish, done, end]);
    await using bridge = await bridgeProcess(backend.url);
    // Once at full speed: what the process needs for such work in any case isn't held against the slow reader.
    await (await post(bridge.url, COMPLETION, STREAM)).text();
    const before = await bridge.memory();
    await backend.play(head, FLOOD, finish, done, end);
    const socket = await sendRaw(bridge.url, COMPLETION, STREAM);
    await readUntil(socket, 'data: ');
    const taken = await standsStill(() => backend.flooded);
    // What the kernel holds for four ends of connections is no memory of ours.
    assert.ok(taken < TIMES / 2, `${taken} of ${TIMES} were taken`);
    const grown = (await bridge.memory()) - before;
    assert.ok(grown < 32 * MB, `grown by ${Math.round(grown / MB)} MB`);
    assert.equal(backend.closed.length, 0);

    let bytes = 0;
    let last = '';
    socket.on('data', (part: Buffer) => {
      bytes += part.length;
      last = (last + part.toString()).slice(-200);
      if (last.includes('[DONE]')) socket.destroy();
    });
    socket.resume();
    await once(socket, 'close');
    assert.match(last, /"finish_reason":"stop".*\[DONE\]/s);
    assert.ok(bytes > (TIMES - 1) * EVENT.length - MB, `${bytes}`);
    assert.deepEqual([backend.flooded, backend.closed], [TIMES, [true]]);
  });

  it('gets every token once and in order, however it stops and goes', async () => {
    const words = Array.from({ length: 3_000 }, (_, number) => `${number} ${'x'.repeat(1_000)} `);
    await using backend = await startFakeBackend(says(...words));
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT));
    const socket = await sendRaw(bridge.url, COMPLETION, STREAM);
    let text = '';
    while (!text.includes('[DONE]')) {
      const part = socket.read() as Buffer | null;
      if (part === null) await once(socket, 'readable');
      else text += part.toString();
      if (text.length % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    socket.destroy();
    // Chunks of HTTP stand between the events of one write and those of the next.
    const numbers = Array.from(text.matchAll(/"text":"(\d+) x/g), ([, number]) => Number(number));
    assert.deepEqual(numbers, [...words.keys()]);
  });

  it('that reads nothing for long is cut off, and its backend is free', async () => {
    await using backend = await startScriptedServer([head, FLOOD, finish, done, end]);
    const limits = { clientLimits: { keepAliveMs: 10_000, slowReaderMs: 400 } };
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT), limits);
    const socket = await sendRaw(bridge.url, COMPLETION, STREAM);
    await backend.until(() => backend.closed.length === 1);
    assert.deepEqual(backend.closed, [false]);
    await untilStatus(bridge.url, ({ backends }) => backends.every((one) => one.in_flight === 0));
    assert.match(bridge.logged.join(''), /a client that reads nothing is cut off/);
    const rest = await readUntil(socket);
    assert.ok(!rest.includes('[DONE]'));
    // It is the client's fault.
    assert.equal((await statusOf(bridge.url)).backends[0]?.state, 'up');
  });

  it('that doesn’t read the end is cut off as well, though its backend has long finished', async () => {
    // With its end in the same piece as the last of what fills the sockets, there is no backend left to be held up.
    const last = [{ text: 'x'.repeat(3.9 * MB) }, { text: '', finish_reason: 'stop' }].map((choice) => ({
      choices: [choice],
    }));
    const answer = [...last.map((chunk) => JSON.stringify(chunk)), '[DONE]']
      .map((data) => `data: ${data}\n\n`)
      .join('');
    await using backend = await startFakeBackend((response) => {
      startStream(response);
      response.end(answer);
    });
    const limits = { clientLimits: { keepAliveMs: 10_000, slowReaderMs: 400 } };
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT), limits);
    const socket = await sendRaw(bridge.url, COMPLETION, STREAM);
    while (!bridge.logged.some((line) => line.includes('reads nothing')))
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(!(await readUntil(socket)).includes('[DONE]'));
  });

  it('of a whole document is cut off just the same, and one that reads a little now and then isn’t', async () => {
    await using backend = await startFakeBackend(says('x'.repeat(3.9 * MB), 'y'.repeat(3.9 * MB)));
    const limits = { clientLimits: { keepAliveMs: 10_000, slowReaderMs: 400 } };
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT), limits);
    const stuck = await sendRaw(bridge.url, COMPLETION, { prompt: 'x' });
    while (!bridge.logged.some((line) => line.includes('reads nothing')))
      await new Promise((resolve) => setTimeout(resolve, 20));
    assert.ok(!(await readUntil(stuck)).includes('"finish_reason"'));

    // Ample: the system tells of room only by the megabyte, which is some twenty pauses here.
    const patient = { clientLimits: { keepAliveMs: 10_000, slowReaderMs: 3_000 } };
    await using other = await startBridge(twoBackends(backend.url, backend.url, PATIENT), patient);
    const slow = await sendRaw(other.url, COMPLETION, { prompt: 'x' });
    let text = '';
    // Together its pauses are longer than the limit.
    while (!text.includes('"finish_reason"')) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      const part = slow.read() as Buffer | null;
      if (part === null) assert.ok(!slow.closed, 'it was cut off while it read');
      else text += part.toString();
    }
    slow.destroy();
  });

  it('brings nobody else’s answers into trouble, and its backend into no disrepute', async () => {
    await using backend = await startScriptedServer([head, FLOOD, finish, done, end]);
    const impatient = {
      timeouts: { connect: '1s', first_token: '500ms', stall: '500ms' },
      max_concurrency: 8,
    };
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, impatient));
    const slow = await Promise.all(
      [1, 2].map(async () => await sendRaw(bridge.url, COMPLETION, { ...STREAM, model: 'first' })),
    );
    await standsStill(() => backend.flooded);
    // Longer than the stall, the first token and a look of the prober's together.
    for (let look = 0; look < 30; look++) {
      const { backends } = await statusOf(bridge.url);
      assert.deepEqual([backends[0]?.state, backends[0]?.in_flight], ['up', 2]);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    await backend.play(head, token('quick'), finish, done, end);
    assert.equal(told(await (await post(bridge.url, COMPLETION, STREAM)).text()).text, 'quick');
    for (const socket of slow) socket.destroy();
  });
});

describe('bridge: a client that has to wait long', () => {
  const keepAliveMs = 60;
  const limits = { clientLimits: { keepAliveMs, slowReaderMs: 30_000 } };
  /** Between two comments; a slow machine has later ones, never earlier ones. */
  const isPaced = (times: number[]) =>
    times.slice(1).every((time, index) => time - (times[index] ?? 0) > keepAliveMs / 3);

  async function comments(reply: Response, count: number): Promise<{ text: string; times: number[] }> {
    const reader = reply.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    const times: number[] = [];
    while (times.length < count) {
      const { value = '', done: ended } = (await reader?.read()) ?? { done: true };
      if (ended) break;
      for (const _ of value.matchAll(/^: still here$/gm)) times.push(performance.now());
      text += value;
    }
    reader?.releaseLock();
    return { text, times };
  }

  it('for its first token, hears a comment now and then; then a comment names who answers, as no header could', async () => {
    let finishIt = () => {};
    await using backend = await startFakeBackend(async (response, seen) => {
      await new Promise<void>((resolve) => {
        finishIt = resolve;
      });
      await says('at last')(response, seen);
    });
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT), limits);
    const reply = await post(bridge.url, COMPLETION, STREAM);
    assert.equal(reply.headers.get('x-hearth-backend'), null);
    assert.match(reply.headers.get('x-request-id') ?? '', /^req_/);
    const copy = reply.clone();
    const { times } = await comments(reply, 3);
    assert.equal(times.length, 3);
    assert.ok(isPaced(times), times.join(' '));
    finishIt();
    const { text, done: isWhole, comments: all } = told(await copy.text());
    assert.deepEqual([text, isWhole], ['at last', true]);
    const named = all.filter((comment) => comment !== 'still here');
    assert.equal(named.length, 1);
    assert.match(named[0] ?? '', /^x-hearth-backend: first, x-hearth-model: coder, x-hearth-fallback: 0/);
    assert.match(named[0] ?? '', /x-hearth-attempts: 1, x-hearth-queue-ms: \d+, x-hearth-gpu: rtx6000/);
  });

  it('for a place, hears the same, and how long it waited', async () => {
    await using backend = await startFakeBackend(hangs);
    const config = {
      ...twoBackends(backend.url, backend.url, { ...PATIENT, max_concurrency: 1 }),
      models: [{ id: 'coder', backends: ['first'] }],
    };
    await using bridge = await startBridge(config, limits);
    const running = await sendRaw(bridge.url, COMPLETION, { prompt: 'first of all' });
    await untilStatus(bridge.url, ({ backends }) => backends[0]?.in_flight === 1);
    const reply = await post(bridge.url, COMPLETION, STREAM);
    const copy = reply.clone();
    assert.equal((await comments(reply, 3)).times.length, 3);
    backend.behave(says('now'));
    running.destroy();
    const { text, comments: all } = told(await copy.text());
    assert.equal(text, 'now');
    const waited = Number(/x-hearth-queue-ms: (\d+)/.exec(all.join('\n'))?.[1]);
    assert.ok(waited >= 2 * keepAliveMs, `${waited}`);
  });

  it('between two tokens, hears comments, too', async () => {
    await using backend = await startScriptedServer([
      head,
      token('one '),
      hold,
      token('two'),
      finish,
      done,
      end,
    ]);
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT), limits);
    const reply = await post(bridge.url, COMPLETION, STREAM);
    assert.equal(reply.headers.get('x-hearth-backend'), 'first');
    const copy = reply.clone();
    assert.equal((await comments(reply, 2)).times.length, 2);
    backend.go();
    assert.deepEqual(told(await copy.text()).text, 'one two');
  });

  it('and then fails, is told so inside the stream, for its headers are out', async () => {
    await using backend = await startFakeBackend(
      later(300, (response) => void response.writeHead(500).end()),
    );
    const config = {
      ...twoBackends(backend.url, backend.url, PATIENT),
      models: [{ id: 'coder', backends: ['first'] }],
    };
    await using bridge = await startBridge(config, limits);
    const reply = await post(bridge.url, COMPLETION, STREAM);
    assert.equal(reply.status, 200);
    const { error, done: isWhole } = told(await reply.text());
    assert.deepEqual([error?.code, isWhole], ['no_backend', false]);
    assert.match(error?.message ?? '', /the backend answered 500/);
  });

  it('is OpenAI’s own client: it minds no comment', async () => {
    await using backend = await startFakeBackend(async (response, seen) => {
      startStream(response);
      await new Promise((resolve) => setTimeout(resolve, 5 * keepAliveMs));
      await saysOn('Hello', ' there')(response, seen);
    });
    await using bridge = await startBridge(twoBackends(backend.url, backend.url, PATIENT), limits);
    const client = new OpenAI({ baseURL: `${bridge.url}/v1`, apiKey: 'none', maxRetries: 0 });
    const stream = await client.chat.completions.create({
      model: 'coder',
      messages: [{ role: 'user', content: 'x' }],
      stream: true,
    });
    const pieces = [];
    for await (const chunk of stream) pieces.push(chunk.choices[0]?.delta.content ?? '');
    assert.equal(pieces.join(''), 'Hello there');
  });
});

/** As `says`, on a stream that has begun. */
function saysOn(...pieces: string[]): ReturnType<typeof says> {
  return (response) => {
    for (const content of pieces)
      response.write(`data: ${JSON.stringify({ choices: [{ index: 0, delta: { content } }] })}\n\n`);
    response.write(
      `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] })}\n\n`,
    );
    response.end('data: [DONE]\n\n');
  };
}

describe('bridge: 10,000 idle connections', function () {
  this.timeout(60_000);

  it('keep nobody from being answered as before, and cost little', async function () {
    if (process.platform !== 'linux') this.skip();
    const limit = Number(/^Max open files\s+(\d+)/m.exec(await readFile('/proc/self/limits', 'utf8'))?.[1]);
    const wanted = 10_000;
    if (limit < wanted + 1_000) {
      console.log(`    skipped: this machine allows ${limit} open files`);
      this.skip();
    }
    await using backend = await startFakeBackend(says('hello'));
    await using bridge = await bridgeProcess(backend.url);
    const median = async () => {
      const times = [];
      for (let request = 0; request < 40; request++) {
        const since = performance.now();
        const { text } = told(await (await post(bridge.url, COMPLETION, STREAM)).text());
        assert.equal(text, 'hello');
        times.push(performance.now() - since);
      }
      return times.toSorted((a, b) => a - b)[20] ?? Infinity;
    };
    const quick = await median();
    const before = await bridge.memory();
    const { port } = new URL(bridge.url);
    const idle: Socket[] = [];
    try {
      // No more at once than a listening socket holds for its process to accept.
      while (idle.length < wanted) {
        const batch = Array.from({ length: 250 }, () =>
          connect(Number(port), '127.0.0.1').on('error', () => {}),
        );
        idle.push(...batch);
        await Promise.all(batch.map(async (socket) => await once(socket, 'connect')));
      }
      // Some have asked once and stay, as clients with a pool of connections do.
      const asked = idle.slice(0, 1_000);
      for (const socket of asked) socket.write('GET /health HTTP/1.1\r\nhost: a\r\n\r\n');
      await Promise.all(asked.map(async (socket) => await once(socket, 'data')));
      const slow = await median();
      assert.ok(idle.every((socket) => !socket.destroyed));
      assert.ok(slow < Math.max(5 * quick, 100), `${slow} ms, not ${quick} ms`);
      const each = ((await bridge.memory()) - before) / wanted;
      assert.ok(each < 32 * 1024, `${Math.round(each)} bytes each`);
    } finally {
      for (const socket of idle) socket.destroy();
    }
    assert.equal((await fetch(`${bridge.url}/health`)).status, 200);
  });
});
