import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { EventReader, type Read, type StreamEvent } from '../../server-bridge/src/backends/event-reader.ts';
import { startBridge, twoBackends, type RunningBridge } from '../support/bridge.ts';
import { errorIn, post, statusOf, told, untilBackend } from '../support/bridge-client.ts';
import { argvOf, RunningCommand } from '../support/cli.ts';
import { says, startFakeBackend, startStream } from '../support/fake-backend.ts';
import { makeNamespaces } from '../support/namespaces.ts';
import { needs } from '../support/needs.ts';
import {
  answer,
  done,
  end,
  finish,
  head,
  hold,
  reset,
  role,
  startScriptedServer,
  token,
  write,
  type ScriptedServer,
  type Step,
} from '../support/scripted-server.ts';

const TOKENS = ['one ', 'two ', 'three ', 'four ', 'five'];
const COMPLETION = '/v1/completions';
const STREAM = { prompt: 'x', stream: true };
/** No fault of these tests is one of time, however slow the machine is. */
const PATIENT = { timeouts: { connect: '10s', first_token: '60s', stall: '60s' } };
const IMPATIENT = { timeouts: { connect: '1s', first_token: '700ms', stall: '700ms' } };

/** A bridge before `first`, which does these steps, and a sound `second`. */
async function scene(
  steps: Step[],
  { timeouts = PATIENT, server }: { timeouts?: Record<string, unknown>; server?: ScriptedServer } = {},
) {
  const first = server ?? (await startScriptedServer());
  await first.play(...steps);
  const second = await startFakeBackend(says('from second'));
  const bridge = await startBridge(twoBackends(first.url, second.url, timeouts));
  return {
    first,
    second,
    bridge,
    async [Symbol.asyncDispose]() {
      await bridge[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
      if (server === undefined) await first.killed();
    },
  };
}

/** One process for the faults that it survives. */
function sharedServer(): { server: ScriptedServer } {
  const shared = {} as { server: ScriptedServer };
  before(async () => {
    shared.server = await startScriptedServer();
  });
  after(async () => {
    await shared.server.killed();
  });
  return shared;
}

async function streamFrom(bridge: RunningBridge) {
  const reply = await post(bridge.url, COMPLETION, STREAM);
  return { reply, ...told(await reply.text()) };
}

describe('bridge: a backend that is killed (kill -9) at any event of its stream', () => {
  const events: [string, Step][] = [
    ['its headers', head],
    ['the announcement of who speaks', role],
    ...TOKENS.map((text, index): [string, Step] => [`token ${index + 1}`, token(text)]),
    ['its finish reason', finish],
    ['[DONE]', done],
  ];
  for (let count = 0; count <= events.length; count++) {
    const steps = events.slice(0, count).map(([, step]) => step);
    const said = TOKENS.slice(0, Math.max(count - 2, 0)).join('');
    const fate = steps.includes(finish) ? 'whole' : said === '' ? 'unseen' : 'honest';
    const outcome = { whole: 'the answer is whole', unseen: 'the next one answers', honest: 'it is told' }[
      fate
    ];
    it(`${count === 0 ? 'before its headers' : `after ${events[count - 1]?.[0]}`}: ${outcome}`, async () => {
      await using parts = await scene([...steps, hold]);
      const { first, second, bridge } = parts;
      const messages = [{ role: 'user', content: 'x' }];
      const asked = [
        post(bridge.url, COMPLETION, STREAM),
        post(bridge.url, '/v1/chat/completions', { messages, stream: true }),
        post(bridge.url, COMPLETION, { prompt: 'x' }),
      ];
      for (const _ of asked) await first.held();
      await first.killed();
      const replies = await Promise.all(asked);
      const streams = (await Promise.all(replies.slice(0, 2).map(async (reply) => reply.text()))).map(told);
      for (const stream of streams) {
        const { text, error, done: isWhole } = stream;
        assert.equal(text, fate === 'unseen' ? 'from second' : said);
        assert.equal(error?.code, fate === 'honest' ? 'backend_lost' : undefined);
        assert.equal(isWhole, fate !== 'honest');
      }
      // Nobody has seen any of a reply in one piece: it begins again.
      const whole = (await replies[2]?.json()) as { choices: { text: string }[] };
      assert.equal(whole.choices[0]?.text, fate === 'whole' ? said : 'from second');
      assert.equal(second.seen.length, { whole: 0, unseen: 3, honest: 1 }[fate]);
      for (const [index, reply] of replies.entries()) {
        const isFirst = fate === 'whole' || (fate === 'honest' && index < 2);
        assert.equal(reply.headers.get('x-hearth-backend'), isFirst ? 'first' : 'second');
        assert.equal(reply.headers.get('x-hearth-attempts'), isFirst ? '1' : '2');
      }
    });
  }

  it('with several answers in one: it is whole when each of them has its end', async () => {
    const choice = (index: number, text: string, reason: string | null) =>
      write(`data: ${JSON.stringify({ choices: [{ index, text, finish_reason: reason }] })}\n\n`);
    const begun = [head, choice(0, 'a', null), choice(0, '', 'stop')];
    for (const [steps, isWhole] of [
      [[...begun, hold], false],
      [[...begun, choice(1, 'b', null), hold], false],
      [[...begun, choice(1, 'b', null), choice(1, '', 'stop'), hold], true],
    ] as const) {
      await using parts = await scene([...steps]);
      const asked = post(parts.bridge.url, COMPLETION, { ...STREAM, n: 2 });
      await parts.first.held();
      await parts.first.killed();
      const stream = told(await (await asked).text());
      assert.deepEqual([stream.done, stream.error?.code], [isWhole, isWhole ? undefined : 'backend_lost']);
    }
  });
});

describe('bridge: a backend that is stopped (SIGSTOP) while its port still takes connections', () => {
  for (const [title, steps, said, requests] of [
    // One silent request may be a long prompt; two are a sign.
    ['before its headers', [], '', 2],
    ['before its first token', [head, role], '', 1],
    ['amid its stream', [head, role, token('one '), token('two ')], 'one two ', 1],
  ] as const)
    it(`${title}: it times out and is down; by a canary it comes back`, async () => {
      await using parts = await scene([...steps, hold], { timeouts: IMPATIENT });
      const { first, bridge } = parts;
      const asked = Array.from({ length: requests }, async () => await streamFrom(bridge));
      for (const _ of asked) await first.held();
      first.signal('SIGSTOP');
      const [stream] = await Promise.all(asked);
      assert.ok(stream);
      const { text, error, done: isWhole, reply } = stream;
      if (said === '') {
        assert.deepEqual([text, error, isWhole], ['from second', undefined, true]);
        assert.equal(reply.headers.get('x-hearth-attempts'), '2');
      } else {
        assert.deepEqual([text, error?.code, isWhole], [said, 'backend_timeout', false]);
        // A stream that stands still is enough: nobody else has to find out.
        const { backends } = await statusOf(bridge.url);
        assert.deepEqual([backends[0]?.id, backends[0]?.state], ['first', 'down']);
        assert.match(backends[0]?.reason ?? '', /no token for .* s while 1 request runs/);
      }
      await untilBackend(bridge.url, 'first', 'down');
      const socket = connect(first.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.destroy();

      const next = await streamFrom(bridge);
      assert.equal(next.reply.headers.get('x-hearth-backend'), 'second');
      assert.equal(next.reply.headers.get('x-hearth-attempts'), '1');
      const { canaries } = first;
      first.signal('SIGCONT');
      await first.play(...answer('back'));
      await untilBackend(bridge.url, 'first', 'up');
      assert.ok(first.canaries > canaries);
      assert.equal((await streamFrom(bridge)).text, 'back');
    });

  it('is down with a stream that stands still, however well its health check answers', async () => {
    await using parts = await scene([head, token('one'), hold], { timeouts: IMPATIENT });
    const { error } = await streamFrom(parts.bridge);
    assert.equal(error?.code, 'backend_timeout');
    assert.equal((await statusOf(parts.bridge.url)).backends[0]?.state, 'down');
  });

  it('is not kept alive by comments in place of tokens', async () => {
    const ping: Step = { do: 'every', ms: 50, text: ': ping\n\n' };
    await using parts = await scene([head, token('one'), ping, hold], { timeouts: IMPATIENT });
    const { text, error } = await streamFrom(parts.bridge);
    assert.deepEqual([text, error?.code], ['one', 'backend_timeout']);
  });
});

describe('bridge: a connection that breaks', () => {
  const shared = sharedServer();
  for (const [title, steps, text, code] of [
    ['by a reset before its headers', [reset], 'from second', undefined],
    ['by a reset before its first token', [head, role, reset], 'from second', undefined],
    ['by a reset amid the stream', [head, token('one'), hold, reset], 'one', 'backend_lost'],
    ['by a reset after the finish reason', [head, token('one'), finish, hold, reset], 'one', undefined],
    ['by an orderly end amid the stream', [head, token('one'), end], 'one', 'backend_lost'],
    ['by an orderly end before its first token', [head, role, end], 'from second', undefined],
    ['by an orderly end without [DONE]', [head, token('one'), finish, end], 'one', undefined],
  ] as const)
    it(`${title}: ${code ?? 'the client sees none of it'}`, async () => {
      await using parts = await scene([...steps], shared);
      const { first, bridge } = parts;
      const asked = post(bridge.url, COMPLETION, STREAM);
      if (steps.some((step) => step.do === 'hold')) {
        // What was sent before a reset must have been read: a reset throws away the rest.
        await (await asked).clone().body?.getReader().read();
        await first.held();
        first.go();
      }
      const stream = told(await (await asked).text());
      assert.deepEqual([stream.text, stream.error?.code, stream.done], [text, code, code === undefined]);
    });

  describe('by a line that is dead in silence', () => {
    before(function () {
      needs(this, 'root', 'namespaces');
    });

    it('amid a stream: backend_timeout; the next request goes to the fallback', async () => {
      await using net = await makeNamespaces();
      const folder = await mkdtemp(join(tmpdir(), 'hearth-half-open-'));
      try {
        const options = (side: 'client' | 'server') => ({ host: '0.0.0.0', inside: net.prefix(side) });
        await using far = await startScriptedServer([head, token('one'), hold], options('server'));
        await using near = await startScriptedServer(answer('from second'), options('client'));
        const config = {
          ...twoBackends(
            `http://${net.address.server}:${far.port}`,
            `http://127.0.0.1:${near.port}`,
            IMPATIENT,
          ),
          listen: { api: { host: '127.0.0.1', port: 8000 } },
          state_dir: folder,
          auth: { mode: 'none' },
        };
        const file = join(folder, 'hearth.yaml');
        await writeFile(file, JSON.stringify(config));
        await using bridge = new RunningCommand(
          net.spawn('client', argvOf('hearth-bridge', 'serve', '--config', file)),
        );
        await bridge.prints(/Hearth bridge .* on/);
        const ask = ['curl', '-sN', '-H', 'content-type: application/json', '-d', JSON.stringify(STREAM)];
        const url = `http://127.0.0.1:8000${COMPLETION}`;
        const asked = net.exec('client', [...ask, url]);
        await far.held();
        await net.cut();
        const broken = told((await asked).stdout);
        assert.deepEqual([broken.text, broken.error?.code, broken.done], ['one', 'backend_timeout', false]);
        const next = told((await net.exec('client', [...ask, url])).stdout);
        assert.deepEqual([next.text, next.done], ['from second', true]);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  });
});

describe('bridge: what a backend sends instead of a sound stream', () => {
  const shared = sharedServer();
  const data = (json: unknown) => `data: ${JSON.stringify(json)}\n\n`;
  const text = (words: string, reason: string | null = null) =>
    data({ choices: [{ index: 0, text: words, finish_reason: reason }] });
  const error = { error: { message: 'CUDA error: out of memory', type: 'server_error', code: 500 } };
  const raw = (...pieces: string[]) => [head, ...pieces.map(write), end];
  const typed = (type: string, body: string, status = 200): Step[] => [
    { do: 'head', status, type },
    write(body),
    end,
  ];

  for (const [title, steps] of [
    ['an error inside the stream', raw(data(error))],
    [
      'an error after the announcement',
      raw(data({ choices: [{ delta: { role: 'assistant' } }] }), data(error)),
    ],
    ['an error as an event by name', raw(`event: error\n${data(error)}`)],
    ['an error without "data:"', raw(`${JSON.stringify(error)}\n`)],
    ['an error without "data:", cut in two', raw('{"error": {"mess', 'age": "out of memory"}}\n\n')],
    ['an error without "data:" and without a line break', raw(JSON.stringify(error))],
    ['an event that is no JSON', raw('data: {"choices": [\n\n')],
    ['an event that is a JSON string', raw('data: "hello"\n\n')],
    ['an event that is a list', raw('data: []\n\n')],
    ['[DONE] and nothing else', raw('data: [DONE]\n\n')],
    ['a JSON document', typed('application/json', '{"choices":[{"index":0,"text":"hi"}]}')],
    ['a JSON document over several lines', typed('application/json', '{\n  "choices": []\n}\n')],
    ['a page of HTML', typed('text/html', '<!DOCTYPE html>\n<html><body>502 Bad Gateway</body></html>\n')],
    ['nothing at all', [head, end]],
    ['204', [{ do: 'head', status: 204 }, end]],
    ['a redirect', [{ do: 'head', status: 302 }, end]],
    ['500 with a page of HTML', typed('text/html', '<html>oops</html>', 500)],
    [
      '503 with 20 MB',
      [{ do: 'head', status: 503 }, { do: 'flood', text: 'x'.repeat(65_536), times: 320 }, end],
    ],
    ['500 without an end', [{ do: 'head', status: 500 }, hold]],
  ] as [string, Step[]][])
    it(`${title}, before the first token: the next one answers`, async () => {
      await using parts = await scene(steps, shared);
      const { text: said, done: isWhole, reply } = await streamFrom(parts.bridge);
      assert.deepEqual([said, isWhole], ['from second', true]);
      assert.equal(reply.headers.get('x-hearth-attempts'), '2');
      assert.match(parts.bridge.logged.join(''), /"msg":"backend failed"/);
    });

  for (const [title, fault, message] of [
    ['an error inside the stream', data(error), /CUDA error: out of memory/],
    ['an error without "data:"', `${JSON.stringify(error)}\n`, /CUDA error: out of memory/],
    ['an error that is a string', data({ error: 'the engine died' }), /the engine died/],
    ['an event that is no JSON', 'data: {"choices": [\n\n', /malformed event/],
    [
      'a page of HTML',
      '<html><body>502 Bad Gateway</body></html>\n',
      /closed the stream before it was complete/,
    ],
  ] as const)
    it(`${title}, after the first token: the answer ends with that and no [DONE]`, async () => {
      await using parts = await scene(raw(text('one'), fault, text('two')), shared);
      const stream = await streamFrom(parts.bridge);
      assert.equal(stream.error?.code, 'backend_lost');
      assert.match(stream.error?.message ?? '', message);
      assert.ok(!stream.done);
      assert.equal(parts.second.seen.length, 0);
    });

  it('an error without "data:" and without a line break at its end is told as well', async () => {
    await using parts = await scene(raw(text('one'), JSON.stringify(error)), shared);
    const stream = await streamFrom(parts.bridge);
    assert.equal(stream.error?.code, 'backend_lost');
    assert.match(stream.error?.message ?? '', /CUDA error: out of memory/);
  });

  for (const [title, piece] of [
    ['line', 'x'.repeat(65_536)],
    ['event of many lines', `data: ${'x'.repeat(65_000)}\n`],
    ['line without a name', '{'.repeat(65_536)],
  ])
    it(`one ${title} without end: no more of it is taken than a few megabytes, and it is told`, async () => {
      const times = 2_000;
      const flood: Step = { do: 'flood', text: piece ?? '', times };
      await using parts = await scene([head, token('one'), write('data: '), flood, hold], shared);
      const stream = await streamFrom(parts.bridge);
      assert.deepEqual([stream.text, stream.error?.code, stream.done], ['one', 'backend_lost', false]);
      assert.match(stream.error?.message ?? '', /more than 4194304 characters/);
      await parts.first.until(() => parts.first.closed.length === 1);
      // The limit, and what the kernel holds for the two ends of a connection.
      assert.ok(parts.first.flooded * 65_000 < 32 * 1024 * 1024, `${parts.first.flooded}`);
    });

  it('announcements without end, before the first token: the next one answers', async () => {
    const chunk = `data: ${JSON.stringify({ choices: [{ delta: { role: 'assistant' } }], padding: 'x'.repeat(65_000) })}\n\n`;
    await using parts = await scene([head, { do: 'flood', text: chunk, times: 2_000 }, hold], shared);
    assert.equal((await streamFrom(parts.bridge)).text, 'from second');
    assert.ok(parts.first.flooded * 65_000 < 32 * 1024 * 1024, `${parts.first.flooded}`);
  });

  it('a refusal with a page of HTML, with 20 MB, or without end: passed on once, and nothing of it but its status', async () => {
    const flood: Step = { do: 'flood', text: 'x'.repeat(65_536), times: 320 };
    for (const steps of [
      typed('text/html', '<html>/usr/lib/secret.py</html>', 400),
      [{ do: 'head', status: 422 }, flood, end],
      [{ do: 'head', status: 400 }, flood, hold],
    ] as Step[][]) {
      await using parts = await scene(steps, shared);
      const reply = await post(parts.bridge.url, COMPLETION, STREAM);
      assert.ok(reply.status === 400 || reply.status === 422);
      const { source, message } = await errorIn(reply);
      assert.equal(source, 'backend');
      assert.match(message ?? '', /^The backend refused the request with status 4\d\d\.$/);
      assert.equal(parts.second.seen.length, 0);
    }
  });

  it('lines that end as they like, comments, names, ids, and data without a space or over several lines: it is all the same', async () => {
    const one = JSON.stringify({ choices: [{ index: 0, text: 'one ' }] });
    const two = JSON.stringify({ choices: [{ index: 0, text: 'zwei ☃ 𝄞' }] }, undefined, 1);
    for (const line of ['\n', '\r\n', '\r']) {
      const lines = [
        ': a comment',
        '',
        'retry: 3000',
        'event: message',
        'id: 7',
        `data:${one}`,
        '',
        ...two.split('\n').map((part) => `data: ${part}`),
        '',
        ':',
        '',
        'data: [DONE]',
        '',
        ': the end',
        '',
      ];
      await using parts = await scene(raw(lines.join(line)), shared);
      const stream = await streamFrom(parts.bridge);
      assert.deepEqual([stream.text, stream.done, stream.error], ['one zwei ☃ 𝄞', true, undefined]);
    }
  });
});

describe('bridge: what a client gets does not depend on how the backend’s bytes were cut', () => {
  const word = fc.string({ unit: 'grapheme', maxLength: 12 });
  const lineEnd = fc.constantFrom('\n', '\r\n', '\r');
  const chunk = (text: string, extra: object = {}) => ({ id: 'c', choices: [{ index: 0, text, ...extra }] });
  /** Lines of one block; a fault among them is as likely as each of the other odd things. */
  const block = fc.oneof(
    { weight: 6, arbitrary: word.map((text) => [`data: ${JSON.stringify(chunk(text))}`]) },
    { weight: 1, arbitrary: word.map((text) => [`data:${JSON.stringify(chunk(text))}`]) },
    {
      weight: 1,
      arbitrary: word.map((text) =>
        JSON.stringify(chunk(text), undefined, 1)
          .split('\n')
          .map((line) => `data: ${line}`),
      ),
    },
    { weight: 1, arbitrary: word.map((text) => [`: ${text.replaceAll(/[\r\n]/g, ' ')}`]) },
    { weight: 1, arbitrary: fc.constantFrom(['event: message', 'id: 1'], ['retry: 5'], ['nonsense'], ['']) },
    { weight: 1, arbitrary: word.map((text) => [`{"error":{"message":${JSON.stringify(text)}}}`]) },
    { weight: 1, arbitrary: word.map((text) => [`data: {"error":${JSON.stringify(text)}}`]) },
    { weight: 1, arbitrary: fc.constant(['data: {']) },
  );
  const stream = fc
    .record({
      blocks: fc.array(block, { maxLength: 8 }),
      ends: fc.array(lineEnd, { minLength: 1, maxLength: 5 }),
    })
    .map(({ blocks, ends }) => {
      const lines = [...blocks, ['data: [DONE]'], [':'], [':']].flatMap((one) => one.concat(''));
      return Buffer.from(lines.map((line, index) => line + ends[index % ends.length]).join(''));
    });
  /** Places to cut at, as shares of the whole. */
  const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

  const pieces = (bytes: Buffer, at: readonly number[]): Buffer[] => {
    const places = at.map((share) => Math.round(share * bytes.length)).toSorted((a, b) => a - b);
    return [...places, bytes.length].map((place, index) => bytes.subarray(places[index - 1] ?? 0, place));
  };
  const read = (parts: Iterable<Uint8Array>): { events: StreamEvent[]; last: Omit<Read, 'events'> } => {
    const reader = new EventReader();
    const events: StreamEvent[] = [];
    for (const part of parts) {
      const { events: more, ...last } = reader.feed(part);
      events.push(...more);
      if (last.kind !== 'events') return { events, last };
    }
    return { events, last: { kind: 'events' } };
  };

  it('in the reader, wherever it is cut', () => {
    fc.assert(
      fc.property(stream, cuts, (bytes, at) => {
        assert.deepEqual(read(pieces(bytes, at)), read([bytes]));
      }),
      { numRuns: 5_000 },
    );
  });

  it('in the reader, byte by byte', () => {
    fc.assert(
      fc.property(stream, (bytes) => {
        assert.deepEqual(
          read(Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))),
          read([bytes]),
        );
      }),
      { numRuns: 500 },
    );
  });

  it('through the bridge', async () => {
    let sent: Buffer[] = [];
    await using first = await startFakeBackend(async (response) => {
      startStream(response);
      // Each is a chunk of its own in HTTP, and so it is to whoever reads them.
      for (const piece of sent) if (piece.length > 0) response.write(piece);
      response.end();
    });
    await using second = await startFakeBackend();
    await using bridge = await startBridge({
      ...twoBackends(first.url, second.url, PATIENT),
      models: [{ id: 'coder', backends: ['first'] }],
    });
    const get = async (parts: Buffer[]): Promise<string> => {
      // A token first, so that whatever comes then is passed on and the backend isn't given up.
      const begun = Buffer.from(`data: ${JSON.stringify(chunk('begun'))}\n\n`);
      sent = [begun, ...parts];
      return (await (await post(bridge.url, COMPLETION, STREAM)).text()).replaceAll(/req_[\w-]+/g, 'req');
    };
    await fc.assert(
      fc.asyncProperty(stream, cuts, async (bytes, at) => {
        assert.equal(await get(pieces(bytes, at)), await get([bytes]));
      }),
      { numRuns: 40 },
    );
    const characters = Buffer.from(`data: ${JSON.stringify(chunk('é☃𝄞👩‍👩‍👧'))}\r\n\r\ndata: [DONE]\r\n\r\n`);
    const whole = told(await get([characters]));
    assert.deepEqual([whole.text, whole.done], ['beguné☃𝄞👩‍👩‍👧', true]);
    for (let at = 1; at < characters.length; at++)
      assert.deepEqual(told(await get([characters.subarray(0, at), characters.subarray(at)])), whole);
  });
});
