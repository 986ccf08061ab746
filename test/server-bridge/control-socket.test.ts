/** Operations over HTTP, through a real control socket and on an API that asks for a key. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HearthError } from '@hearth/protocol';
import { pino } from 'pino';
import {
  buildControlApp,
  ControlSocketTaken,
  openControlSocket,
} from '../../server-bridge/src/control-socket.ts';
import { FakeOperations } from '../support/fake-operations.ts';

describe('bridge: the control socket', () => {
  let stateDir: string;
  let operations: FakeOperations;
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(line) });
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'hearth-control-'));
    operations = new FakeOperations();
    logged.length = 0;
  });
  afterEach(async () => {
    await rm(stateDir, { recursive: true, force: true });
  });

  const open = async (folder = stateDir) => {
    const socket = await openControlSocket({
      stateDir: folder,
      operations,
      status: () => operations.status(),
      log,
    });
    return Object.assign(socket, { [Symbol.asyncDispose]: async () => await socket.close() });
  };

  it('is for its owner alone, and gone when the bridge is', async () => {
    const folder = join(stateDir, 'made');
    const socket = await open(folder);
    assert.equal(socket.path, join(folder, 'control.sock'));
    assert.equal((await stat(socket.path)).mode & 0o777, 0o600);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    const { status, body } = await ask(socket.path, 'GET', '/hearth/v1/status');
    assert.equal(status, 200);
    assert.deepEqual(JSON.parse(body), operations.status());
    await socket.close();
    await assert.rejects(stat(socket.path), { code: 'ENOENT' });
    assert.deepEqual(
      logged.filter((line) => line.includes('"level":40')),
      [],
    );
  });

  it('warns of a state_dir that others can look into', async () => {
    await chmod(stateDir, 0o755);
    await using _socket = await open();
    assert.match(logged.join(''), /state_dir is open to others.*chmod 700/);
  });

  it('takes the place of a dead bridge’s, never of a live one’s', async () => {
    const path = join(stateDir, 'control.sock');
    const code = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`;
    const dead = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(dead.stdout, 'data');
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    assert.ok((await stat(path)).isSocket());

    await using socket = await open();
    await assert.rejects(open(), (error) => {
      assert.ok(error instanceof ControlSocketTaken);
      assert.match(error.message, new RegExp(`answers on ${path}`));
      return true;
    });
    assert.equal((await ask(socket.path ?? '', 'GET', '/hearth/v1/status')).status, 200);
  });

  it('does without where it can’t be, and says why', async () => {
    const long = join(stateDir, 'x'.repeat(100));
    const none = await open(long);
    assert.equal(none.path, undefined);
    assert.match(
      logged.join(''),
      /the system allows paths of 107 bytes, and this one has \d+; choose a shorter state_dir/,
    );
    await none.close();
    await writeFile(join(stateDir, 'file'), '');
    assert.equal((await open(join(stateDir, 'file', 'state'))).path, undefined);
    assert.match(logged.join(''), /state_dir .*\/file\/state can't be used.*no control socket/);
  });

  it('drains with progress, resumes, and names what is unknown', async () => {
    await using socket = await open();
    const path = socket.path ?? '';
    const drained = await ask(path, 'POST', '/hearth/v1/backends/old/drain');
    assert.equal(drained.type, 'text/event-stream; charset=utf-8');
    assert.equal(
      drained.body,
      [2, 1, 0].map((count) => `event: drain\ndata: {"in_flight":${count},"queued":0}\n\n`).join(''),
    );
    const resumed = await ask(path, 'POST', '/hearth/v1/backends/old/resume');
    assert.deepEqual(JSON.parse(resumed.body), { id: 'old', resumed: true });

    for (const [url, body, status, message] of [
      ['/hearth/v1/backends/odd/drain', undefined, 404, 'There is no backend "odd" here. Known: old, new.'],
      ['/hearth/v1/backends/odd/resume', undefined, 404, 'There is no backend "odd" here. Known: old, new.'],
      ['/hearth/v1/models/odd/swap', { to: 'new' }, 404, 'There is no model "odd" here. Known: coder, chat.'],
      [
        '/hearth/v1/models/coder/swap',
        { to: 'odd' },
        404,
        'There is no backend "odd" here. Known: old, new.',
      ],
      ['/hearth/v1/models/coder/swap', {}, 400, /^to: /],
      ['/hearth/v1/models/coder/swap', { to: '../x' }, 400, /^to: an id is letters/],
      ['/hearth/v1/backends/%2e%2e%2fx/drain', undefined, 400, /^id: an id is letters/],
    ] as const) {
      const reply = await ask(path, 'POST', url, body);
      assert.equal(reply.status, status, url);
      const told = (JSON.parse(reply.body) as { error: { message: string } }).error.message;
      if (typeof message === 'string') assert.equal(told, message);
      else assert.match(told, message);
    }
  });

  it('swaps with progress; one that may not begin is an error and no stream', async () => {
    await using socket = await open();
    const path = socket.path ?? '';
    const { body } = await ask(path, 'POST', '/hearth/v1/models/coder/swap', { to: 'new' });
    assert.deepEqual(
      Array.from(
        body.matchAll(/^event: swap\ndata: (.*)$/gm),
        ([, data]) => JSON.parse(data ?? '') as unknown,
      ),
      [...operations.steps, operations.end],
    );
    operations.failure = new HearthError('busy', 'coder is being swapped already');
    const busy = await ask(path, 'POST', '/hearth/v1/models/coder/swap', { to: 'new' });
    assert.equal(busy.status, 409);
    assert.equal((JSON.parse(busy.body) as { error: { code: string } }).error.code, 'busy');
  });

  it('says in the stream what fails after its first event, and no more than it may', async () => {
    await using socket = await open();
    operations.failure = new Error('/home/ann/secret');
    const { body } = await ask(socket.path ?? '', 'POST', '/hearth/v1/backends/old/drain');
    assert.match(body, /event: error\ndata: \{"error":\{.*"code":"internal"/);
    assert.ok(!body.includes('/home'));
  });

  it('tells a drain that nobody watches it any more, at once', async () => {
    await using socket = await open();
    operations.gate = new Promise(() => {});
    const path = '/hearth/v1/backends/old/drain';
    const watching = httpRequest({ socketPath: socket.path, method: 'POST', path }).end();
    const [reply] = (await once(watching, 'response')) as [IncomingMessage];
    await once(reply, 'data');
    watching.on('error', () => {}).destroy();
    reply.on('error', () => {});
    while (!operations.calls.includes('drain unwatched'))
      await new Promise((resolve) => setTimeout(resolve, 5));
  });

  it('on the API they ask who it is before anything else, and answer no web page of another origin', async () => {
    const app = buildControlApp(
      { operations, status: () => operations.status(), log },
      async ({ headers }) => {
        if (headers['x-api-key'] !== 'admin') throw new HearthError('forbidden', 'This key may not do that.');
      },
    );
    const post = async (headers: Record<string, string>) =>
      await app.inject({ method: 'POST', url: '/hearth/v1/backends/old/resume', headers });
    assert.equal((await post({})).statusCode, 403);
    assert.equal((await post({ 'x-api-key': 'admin' })).statusCode, 200);
    const foreign = await post({ 'x-api-key': 'admin', host: 'bridge:8000', origin: 'http://evil.example' });
    assert.equal(foreign.statusCode, 403);
    assert.match(foreign.body, /web pages of other origins/);
    const own = await post({ 'x-api-key': 'admin', host: 'bridge:8000', origin: 'http://bridge:8000' });
    assert.equal(own.statusCode, 200);
    assert.equal((await post({ 'x-api-key': 'admin', origin: 'null' })).statusCode, 403);
    assert.deepEqual(operations.calls, ['resume old', 'resume old']);
    for (const url of ['/hearth/v1/backends/odd/drain', '/hearth/v1/models/odd/swap'])
      assert.equal((await app.inject({ method: 'POST', url })).statusCode, 403);
    await app.close();
  });

  it('is not confused by a folder in its place', async () => {
    await mkdir(join(stateDir, 'control.sock'));
    assert.equal((await open()).path, undefined);
    assert.match(logged.join(''), /no control socket/);
  });
});

async function ask(socketPath: string, method: string, path: string, body?: unknown) {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const asking = httpRequest({
    socketPath,
    method,
    path,
    agent: false,
    headers: text === undefined ? {} : { 'content-type': 'application/json' },
  }).end(text);
  const [reply] = (await once(asking, 'response')) as [IncomingMessage];
  let received = '';
  for await (const chunk of reply.setEncoding('utf8')) received += String(chunk);
  return { status: reply.statusCode, type: reply.headers['content-type'], body: received };
}
