import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelFolder } from '../../server-bridge/engine-llama/src/models/folder.ts';
import { ensureStarter } from '../../server-bridge/engine-llama/starter/ensure.ts';
import { run, start } from '../support/cli.ts';
import { after as later, says, startFakeBackend, type Behaviour } from '../support/fake-backend.ts';

describe('hearth-bridge', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-cli-'));
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const write = async (name: string, text: string) => {
    const file = join(folder, name);
    await writeFile(file, text);
    return file;
  };
  const config = async (name: string, port = 0) =>
    await write(
      name,
      `listen: { api: { host: 127.0.0.1, port: ${port} } }
state_dir: ./${name}-state
backends:
  - { id: far, engine: openai, url: "http://127.0.0.1:9", model: m }
models:
  - { id: coder, backends: [far] }
`,
    );

  it('explains itself', async () => {
    const help = await run('hearth-bridge', ['--help']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /serve/);
    assert.match((await run('hearth-bridge', ['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
    assert.equal((await run('hearth-bridge', ['sevre'])).code, 2);
  });

  it('refuses a configuration with a misspelt key: exit 2, the key and what was meant', async () => {
    const file = await write('bad.yaml', 'backend: []\n');
    const { code, stdout, stderr } = await run('hearth-bridge', ['serve', '--config', file]);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(
      stderr,
      /bad\.yaml is not a valid configuration:\n\s+.*unknown key "backend"; did you mean "backends"\?/s,
    );
    const missing = await run('hearth-bridge', ['serve', '--config', join(folder, 'none.yaml')]);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /none\.yaml.*no such file/s);
  });

  it('says that its port is in use: exit 1', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const { code, stderr } = await run('hearth-bridge', [
      'serve',
      '--config',
      await config('taken.yaml', port),
    ]);
    taken.close();
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`127\\.0\\.0\\.1:${port} is in use`));
    assert.ok(!stderr.includes('    at '), 'a stack is no message');
  });

  it('serves with a backend that is not there, and ends on SIGTERM with 0', async () => {
    await using bridge = start('hearth-bridge', ['serve', '--config', await config('serve.yaml')]);
    const [, url] = await bridge.prints(/on (http:\S+)/);
    assert.equal((await fetch(`${url}/health`)).status, 200);
    assert.equal((await fetch(`${url}/v1/models`)).status, 401);
    bridge.child.kill('SIGTERM');
    assert.equal((await bridge.finished).code, 0);
  });

  it('makes, lists and revokes keys beside a running bridge; the secret is on no disk', async () => {
    const file = await config('keys.yaml');
    await using bridge = start('hearth-bridge', ['serve', '--config', file]);
    const [, url] = await bridge.prints(/on (http:\S+)/);
    const keys = async (...args: string[]) => await run('hearth-bridge', ['keys', ...args, '--config', file]);

    const made = JSON.parse(
      (await keys('create', '--name', 'ann', '--expires', '90d', '--json')).stdout,
    ) as Record<string, string>;
    assert.deepEqual(Object.keys(made), ['id', 'key', 'name', 'scopes', 'expires_at']);
    const models = async () =>
      (await fetch(`${url}/v1/models`, { headers: { 'x-api-key': made.key ?? '' } })).status;
    assert.equal(await models(), 200);

    const listed = await keys('list', '--json');
    assert.equal((JSON.parse(listed.stdout) as { id: string }[])[0]?.id, made.id);
    const secret = made.key?.split('_')[2] ?? '';
    for (const name of ['access.db', 'access.db-wal'])
      assert.ok(!(await readFile(join(folder, 'keys.yaml-state', name))).includes(secret));
    assert.equal((await stat(join(folder, 'keys.yaml-state', 'access.db'))).mode & 0o777, 0o600);

    assert.equal((await keys('revoke', made.id ?? '')).code, 0);
    assert.equal(await models(), 401);
    assert.equal((await keys('revoke', 'ffffffffffff')).code, 1);
    for (const wrong of [
      ['--name', 'x', '--scope', 'root'],
      ['--name', ''],
      ['--name', 'a\u001b[2J'],
      ['--name', 'x', '--expires', '99999999999d'],
      ['--name', 'x', '--bind-ip', 'not-an-ip'],
    ]) {
      const { code, stderr } = await keys('create', ...wrong);
      assert.equal(code, 2, stderr);
      assert.ok(!stderr.includes('    at '), stderr);
    }
  });

  it('says that its state folder can’t be used: exit 1, no stack', async () => {
    const file = await write(
      'state.yaml',
      (await readFile(await config('plain.yaml'), 'utf8')).replace('./plain.yaml-state', './plain.yaml/x'),
    );
    const { code, stderr } = await run('hearth-bridge', ['serve', '--config', file]);
    assert.equal(code, 1);
    assert.match(stderr, /state_dir .*plain\.yaml\/x can't be used/);
    assert.ok(!stderr.includes('    at '), stderr);
  });

  it('drains on a Ctrl-C that the whole process group gets: the engine answers to the end', async () => {
    const model = await ensureStarter(modelFolder(process.env));
    const file = await write(
      'group.yaml',
      `listen: { api: { host: 127.0.0.1, port: 0 } }
state_dir: ./group-state
auth: { mode: none }
backends: [{ id: own, engine: embedded, model: "${model}", context: 2048 }]
models: [{ id: coder, backends: [own] }]
`,
    );
    await using bridge = start('hearth-bridge', ['serve', '--config', file], {}, { detached: true });
    const [, url] = await bridge.prints(/on (http:\S+)/);
    await bridge.prints(/engine ready/);
    const reply = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ role: 'user', content: 'hi' }], stream: true, temperature: 0 }),
    });
    process.kill(-(bridge.child.pid ?? 0), 'SIGINT');
    assert.match(await reply.text(), /\[DONE\]/);
    assert.equal((await bridge.finished).code, 0);
  });

  it('checks what the backends are to serve: a chat answer to a completion, a missing model, a missing server', async () => {
    await using good = await startFakeBackend((response, seen) =>
      says(seen.path.includes('chat') ? 'ready' : 'Math.max(low, value);')(response, seen),
    );
    await using chatty = await startFakeBackend(says('Sure! Here is the function:\n```ts\nreturn 1;\n```'));
    const file = await write(
      'check.yaml',
      `backends:
  - { id: good, engine: openai, url: "${good.url}", model: m, fim: qwen }
  - { id: chatty, engine: openai, url: "${chatty.url}", model: other, fim: qwen, serves: [completion] }
  - { id: gone, engine: openai, url: "http://127.0.0.1:9", model: m }
  - { id: broken, engine: embedded, model: ./bad.yaml }
models:
  - { id: coder, backends: [good, chatty, gone, broken] }
`,
    );
    const { code, stdout } = await run('hearth-bridge', ['check', '--json', '--config', file]);
    assert.equal(code, 1);
    const { ok, probes } = JSON.parse(stdout) as {
      ok: boolean;
      probes: { backend: string; probe: string; ok: boolean; detail: string }[];
    };
    assert.equal(ok, false);
    assert.deepEqual(
      probes.map((one) => `${one.backend} ${one.probe} ${one.ok}`),
      [
        'good reachable true',
        'good model true',
        'good fim true',
        'good chat true',
        'chatty reachable true',
        'chatty model false',
        'chatty fim false',
        'gone reachable false',
        'broken reachable false',
      ],
    );
    assert.match(probes[5]?.detail ?? '', /no model "other"; it has: m/);
    assert.match(probes[6]?.detail ?? '', /Markdown/);
    assert.match(probes[8]?.detail ?? '', /bad\.yaml/);
    const readable = await run('hearth-bridge', ['check', '--config', file]);
    assert.match(readable.stdout, /^ok +good +fim/m);
    assert.match(readable.stdout, /^FAIL +chatty +fim/m);
  });

  it('reloads on SIGHUP: running streams go on, new requests see the new file, a bad file changes nothing', async () => {
    const slow: Behaviour = async (response, seen) => {
      await later(600, says('from the old one'))(response, seen);
    };
    await using old = await startFakeBackend(slow);
    await using next = await startFakeBackend(says('from the new one'));
    const text = (id: string, url: string) => `listen: { api: { host: 127.0.0.1, port: 0 } }
state_dir: ./reload-state
auth: { mode: none }
backends: [{ id: ${id}, engine: openai, url: "${url}", model: m }]
models: [{ id: coder, backends: [${id}] }]
`;
    const file = await write('reload.yaml', text('old', old.url));
    await using bridge = start('hearth-bridge', ['serve', '--config', file]);
    const [, url] = await bridge.prints(/on (http:\S+)/);
    const ask = async () => {
      const reply = await fetch(`${url}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'coder', prompt: 'x' }),
      });
      return await reply.text();
    };
    const running = ask();
    while (old.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await write('reload.yaml', text('new', next.url));
    bridge.child.kill('SIGHUP');
    await bridge.prints(/configuration reloaded/);
    assert.match(await ask(), /from the new one/);
    assert.match(await running, /from the old one/);

    await write('reload.yaml', 'backend: []\n');
    bridge.child.kill('SIGHUP');
    await bridge.prints(/the old one stays in force/);
    assert.match(await ask(), /from the new one/);
    bridge.child.kill('SIGTERM');
    assert.equal((await bridge.finished).code, 0);
  });
});
