/** Swaps and drains of a running bridge, by its own commands, under load, with real llama.cpp servers behind it. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FIM_SAMPLE } from '../../server-bridge/src/check/sample.ts';
import { modelFolder } from '../../server-bridge/engine-llama/src/models/folder.ts';
import { ensureStarter } from '../../server-bridge/engine-llama/starter/ensure.ts';
import { post, statusOf, told, untilBackend, untilStatus } from '../support/bridge-client.ts';
import { argvOf, run, start, type RunningCommand } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';

const ANSWER = 'Math.min(Math.max(value, low), high);';
const CLIENTS = 8;

interface Written {
  id: string;
  /** A name that the planner knows, so that it knows what the card can hold. */
  model: string;
  gpu?: string;
  command?: string[];
}

/** A bridge with three llama.cpp servers that it starts by itself; `light` is the fallback of the model `coder`. */
async function running(folder: string, backends: Written[], gpu: { memory_gb: number }) {
  const starter = await ensureStarter(modelFolder(process.env));
  const written = await Promise.all(
    backends.map(async ({ id, model, gpu: card, command }) => {
      const port = await freePort();
      const engine = ['--model', starter, '--port', String(port), '--context', '512', '--parallel', '4'];
      return {
        id,
        engine: 'llamacpp',
        url: `http://127.0.0.1:${port}`,
        model,
        fim: 'qwen',
        context: 512,
        max_concurrency: 4,
        timeouts: { connect: '2s', first_token: '20s', stall: '20s' },
        runner: { kind: 'process', command: command ?? argvOf('hearth-engine-llama', ...engine) },
        ...(card !== undefined && { gpu: card }),
      };
    }),
  );
  const config = join(folder, 'hearth.yaml');
  await writeFile(
    config,
    // JSON is YAML.
    JSON.stringify({
      listen: { api: { port: 0 } },
      auth: { mode: 'none' },
      gpus: [{ id: 'card', vendor: 'nvidia', ...gpu }],
      backends: written,
      models: [{ id: 'coder', backends: ['old', 'light'] }],
    }),
  );
  const bridge = start('hearth-bridge', ['serve', '--config', config]);
  const [, url = ''] = await bridge.prints(/on (http:\S+)/);
  await untilBackend(url, 'old', 'up');
  await untilBackend(url, 'light', 'up');
  return { bridge, url, config };
}

/** Clients that ask one after the other until told to stop; gives who answered whom, and fails with the first bad answer. */
function load(url: string) {
  const stop = new AbortController();
  const answers: { by: string; at: number }[] = [];
  const ask = async () => {
    while (!stop.signal.aborted) {
      const reply = await post(url, '/v1/completions', {
        prompt: FIM_SAMPLE.prefix,
        suffix: FIM_SAMPLE.suffix,
        stream: true,
        max_tokens: 64,
      });
      const text = await reply.text();
      assert.equal(reply.status, 200, text);
      const { done, error, text: said } = told(text);
      assert.deepEqual([error, done], [undefined, true], text);
      assert.ok(said.startsWith(ANSWER), said);
      answers.push({ by: reply.headers.get('x-hearth-backend') ?? '', at: performance.now() });
    }
  };
  const all = Promise.all(Array.from({ length: CLIENTS }, ask));
  // A client that fails is heard of at the end; until then nobody waits for it.
  all.catch(() => {});
  return {
    answers,
    /** Until so many more answers have come from there. */
    answeredBy: async (backend: string, count = 5) => {
      const before = answers.filter((one) => one.by === backend).length;
      while (answers.filter((one) => one.by === backend).length < before + count)
        await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 10))]);
    },
    end: async () => {
      stop.abort();
      await all;
    },
  };
}

const command = async (config: string, ...args: string[]) =>
  await run('hearth-bridge', [...args, '--config', config]);

describe('bridge: live operations under load (real llama.cpp servers, started by the bridge)', function () {
  this.timeout(90_000);
  let folder: string;
  let bridge: RunningCommand | undefined;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-swap-'));
  });
  afterEach(async () => {
    // Orderly, so that the servers end too.
    bridge?.child.kill('SIGTERM');
    await bridge?.finished;
    await rm(folder, { recursive: true, force: true });
  });

  it('a swap loses nothing where the card holds both: the old one serves until the new one has proved itself', async () => {
    const one = await running(
      folder,
      [
        { id: 'old', model: 'Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8', gpu: 'card' },
        { id: 'light', model: 'qwen2.5-coder-3b' },
        { id: 'new', model: 'qwen2.5-coder-7b-instruct-q4_k_m', gpu: 'card' },
      ],
      { memory_gb: 96 },
    );
    ({ bridge } = one);
    assert.equal((await statusOf(one.url)).backends[2]?.state, 'stopped');

    const clients = load(one.url);
    await clients.answeredBy('old');
    const swap = await command(one.config, 'models', 'swap', 'coder', '--to', 'new');
    assert.equal(swap.code, 0, swap.stderr);
    assert.match(swap.stdout, /new.*\n.*[\s\S]*put new first in hearth\.yaml/);
    await clients.answeredBy('new');
    await clients.end();
    const order = clients.answers.map((one) => one.by);
    assert.deepEqual([...new Set(order.filter((by) => by !== 'light'))], ['old', 'new']);
    const { backends, models } = await statusOf(one.url);
    assert.deepEqual(
      backends.map(({ id, state }) => [id, state]),
      [
        ['old', 'stopped'],
        ['light', 'up'],
        ['new', 'up'],
      ],
    );
    assert.equal(models[0]?.hearth.served_by, 'new');

    // A reload of the same file doesn't undo it.
    bridge.child.kill('SIGHUP');
    await bridge.prints(/configuration reloaded/);
    const reply = await post(one.url, '/v1/completions', { prompt: FIM_SAMPLE.prefix, max_tokens: 4 });
    assert.equal(reply.headers.get('x-hearth-backend'), 'new');
  });

  it('a swap loses nothing where the card holds only one: the fallback covers the gap, and the status says so', async () => {
    const one = await running(
      folder,
      [
        { id: 'old', model: 'Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8', gpu: 'card' },
        { id: 'light', model: 'qwen2.5-coder-3b' },
        { id: 'new', model: 'openai/gpt-oss-120b', gpu: 'card' },
      ],
      { memory_gb: 80 },
    );
    ({ bridge } = one);
    const clients = load(one.url);
    await clients.answeredBy('old');
    const swap = command(one.config, 'models', 'swap', 'coder', '--to', 'new', '--json');
    await untilStatus(one.url, ({ swaps, models }) => {
      const gap = swaps[0]?.gap;
      return gap?.kind === 'covered' && gap.by === 'light' && models[0]?.hearth.served_by === 'light';
    });
    await clients.answeredBy('light');
    const { code, stdout, stderr } = await swap;
    assert.equal(code, 0, stderr);
    const { state, steps } = JSON.parse(stdout) as {
      state: string;
      steps: { step: string; state: string }[];
    };
    assert.equal(state, 'done');
    assert.deepEqual(
      steps.filter((step) => step.state === 'done').map((step) => step.step),
      ['drain', 'stop', 'start', 'ready', 'canary', 'shift', 'swap'],
    );
    await clients.answeredBy('new');
    await clients.end();
  });

  it('a swap to what does not start leaves everything as it was, and says why', async () => {
    const one = await running(
      folder,
      [
        { id: 'old', model: 'Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8', gpu: 'card' },
        { id: 'light', model: 'qwen2.5-coder-3b' },
        {
          id: 'new',
          model: 'qwen2.5-coder-7b',
          gpu: 'card',
          command: [process.execPath, '-e', 'console.error("CUDA out of memory"); process.exit(3)'],
        },
      ],
      { memory_gb: 96 },
    );
    ({ bridge } = one);
    const clients = load(one.url);
    await clients.answeredBy('old');
    const swap = await command(one.config, 'models', 'swap', 'coder', '--to', 'new');
    assert.equal(swap.code, 1);
    assert.match(swap.stderr, /the swap failed: its server has ended: .*3/);
    await clients.answeredBy('old');
    await clients.end();
    assert.equal((await statusOf(one.url)).models[0]?.hearth.served_by, 'old');
  });

  it('a drain lets what runs finish and sends the rest elsewhere, until it is resumed', async () => {
    const one = await running(
      folder,
      [
        { id: 'old', model: 'a', gpu: 'card' },
        { id: 'light', model: 'b' },
      ],
      { memory_gb: 96 },
    );
    ({ bridge } = one);
    const clients = load(one.url);
    await clients.answeredBy('old');
    const drain = await command(one.config, 'backends', 'drain', 'old');
    assert.equal(drain.code, 0, drain.stderr);
    const drained = clients.answers.length;
    await clients.answeredBy('light', 10);
    assert.deepEqual([...new Set(clients.answers.slice(drained + CLIENTS).map((one) => one.by))], ['light']);
    const { backends } = await statusOf(one.url);
    assert.deepEqual([backends[0]?.state, backends[0]?.in_flight], ['draining', 0]);
    assert.equal((await command(one.config, 'backends', 'resume', 'old')).code, 0);
    await clients.answeredBy('old');
    await clients.end();
  });
});
