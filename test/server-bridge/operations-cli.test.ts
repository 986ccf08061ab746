/** `hearth-bridge models …` and `backends …` as processes, against a real control socket with made-up operations. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { openControlSocket, type ControlSocket } from '../../server-bridge/src/control-socket.ts';
import { run, start } from '../support/cli.ts';
import { FakeOperations } from '../support/fake-operations.ts';

describe('hearth-bridge, beside a running bridge', () => {
  let folder: string;
  let config: string;
  let operations: FakeOperations;
  let socket: ControlSocket;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-live-'));
    config = join(folder, 'hearth.yaml');
    await writeFile(
      config,
      `state_dir: ./state
backends: [{ id: old, engine: openai, url: "http://127.0.0.1:9", model: m }]
models: [{ id: coder, backends: [old] }]
`,
    );
    operations = new FakeOperations();
    socket = await openControlSocket({
      stateDir: join(folder, 'state'),
      operations,
      status: () => operations.status(),
      log: pino({ level: 'silent' }),
    });
  });
  afterEach(async () => {
    await socket.close();
    await rm(folder, { recursive: true, force: true });
  });

  const bridge = async (...args: string[]) => await run('hearth-bridge', [...args, '--config', config]);

  it('lists the models, for people and for programs, and says what is being swapped', async () => {
    const { code, stdout } = await bridge('models', 'list');
    assert.equal(code, 0);
    assert.match(stdout, /^coder  The Coder  ready  old answers  completion\nchat   chat {7}ready/);
    const listed = JSON.parse((await bridge('models', 'list', '--json')).stdout) as { id: string }[];
    assert.deepEqual(
      listed.map(({ id }) => id),
      ['coder', 'chat'],
    );
    const swap = { model: 'coder', from: 'old', to: 'new', since: new Date(0).toISOString() };
    const detail = 'waiting until new answers';
    operations.swaps = [{ ...swap, step: 'ready', detail, undoing: false, gap: null }];
    assert.match(
      (await bridge('models', 'list')).stdout,
      /^coder: a swap is under way, old to new: waiting until new answers$/m,
    );
  });

  it('swaps with a line for each step, and says how to keep it', async () => {
    const { code, stdout, stderr } = await bridge('models', 'swap', 'coder', '--to', 'new');
    assert.equal(code, 0, stderr);
    assert.equal(
      stdout,
      `...   start   new is being started
Done: new answers for coder.
To keep it after a restart, put new first in hearth.yaml: models[coder].backends.
`,
    );
    assert.deepEqual(operations.calls, ['swap coder new']);
  });

  it('prints one JSON document for a swap, and nothing else', async () => {
    const { code, stdout } = await bridge('models', 'swap', 'coder', '--to', 'new', '--json');
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout), {
      model: 'coder',
      to: 'new',
      state: 'done',
      detail: 'new answers for coder',
      steps: [...operations.steps, operations.end],
    });
  });

  it('fails with 1 when the swap fails or may not be, with the reason', async () => {
    operations.end = { step: 'swap', state: 'failed', detail: 'new did not answer within 10 min' };
    const failed = await bridge('models', 'swap', 'coder', '--to', 'new');
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /^hearth-bridge: the swap failed: new did not answer within 10 min$/m);
    const json = await bridge('models', 'swap', 'coder', '--to', 'new', '--json');
    assert.equal(json.code, 1);
    assert.equal((JSON.parse(json.stdout) as { state: string }).state, 'failed');
    const unknown = await bridge('models', 'swap', 'coder', '--to', 'odd');
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /There is no backend "odd" here\. Known: old, new\./);
    assert.equal((await bridge('models', 'swap', 'coder')).code, 2);
  });

  it('stops watching at Ctrl-C, and the swap goes on', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    operations.gate = gate;
    await using watching = start('hearth-bridge', [
      'models',
      'swap',
      'coder',
      '--to',
      'new',
      '--config',
      config,
    ]);
    await watching.prints(/being started/);
    watching.child.kill('SIGINT');
    const { code, stderr } = await watching.finished;
    assert.equal(code, 1);
    assert.match(stderr, /watching has ended, the swap goes on: "hearth-bridge models list"/);
    open();
  });

  it('says so when the bridge ends before the swap', async () => {
    operations.gate = new Promise(() => {});
    await using watching = start('hearth-bridge', [
      'models',
      'swap',
      'coder',
      '--to',
      'new',
      '--config',
      config,
    ]);
    await watching.prints(/being started/);
    await socket.close();
    const { code, stderr } = await watching.finished;
    assert.equal(code, 1);
    assert.match(stderr, /the bridge ended before the swap did/);
  });

  it('drains until nothing runs, and resumes', async () => {
    const { code, stdout } = await bridge('backends', 'drain', 'old');
    assert.equal(code, 0);
    assert.equal(
      stdout,
      `old: 2 in flight
old: 1 in flight
old takes nothing new, and nothing runs there any more. "hearth-bridge backends resume old" puts it back.
`,
    );
    const json = await bridge('backends', 'drain', 'old', '--json');
    assert.deepEqual(JSON.parse(json.stdout), { id: 'old', drained: true, in_flight: 0, queued: 0 });
    const resumed = await bridge('backends', 'resume', 'old');
    assert.equal(resumed.stdout, 'old takes requests again.\n');
    assert.deepEqual(JSON.parse((await bridge('backends', 'resume', 'old', '--json')).stdout), {
      id: 'old',
      resumed: true,
    });
    assert.equal((await bridge('backends', 'resume', 'odd')).code, 1);
  });

  it('drains without waiting, and leaves the drain in force at Ctrl-C', async () => {
    operations.gate = new Promise(() => {});
    const left = await bridge('backends', 'drain', 'old', '--no-wait');
    assert.equal(left.code, 0);
    assert.match(
      left.stdout,
      /^old: 2 in flight\nold takes nothing new\. "hearth-bridge backends resume old"/,
    );
    const json = await bridge('backends', 'drain', 'old', '--no-wait', '--json');
    assert.deepEqual(JSON.parse(json.stdout), { id: 'old', drained: false, in_flight: 2, queued: 0 });

    await using watching = start('hearth-bridge', ['backends', 'drain', 'old', '--config', config]);
    await watching.prints(/2 in flight/);
    watching.child.kill('SIGINT');
    const { code, stderr } = await watching.finished;
    assert.equal(code, 1);
    assert.match(stderr, /the drain stays in force: old takes nothing new/);
  });

  it('exits with 3 and says what to do where no bridge runs', async () => {
    await socket.close();
    for (const command of [
      ['models', 'list'],
      ['models', 'swap', 'coder', '--to', 'new'],
      ['backends', 'drain', 'old'],
      ['backends', 'resume', 'old'],
    ]) {
      const { code, stdout, stderr } = await bridge(...command, '--json');
      assert.equal(code, 3);
      assert.equal(stdout, '');
      assert.match(
        stderr,
        /^hearth-bridge: the bridge is not running: .*Start it with "hearth-bridge serve"/,
      );
      assert.ok(!stderr.includes('    at '), stderr);
    }
  });
});
