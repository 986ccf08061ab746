import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelFolder } from '../../server-bridge/engine-llama/src/models/folder.ts';
import { ensureStarter } from '../../server-bridge/engine-llama/starter/ensure.ts';
import { startBridge, type RunningBridge } from '../support/bridge.ts';

const PROMPT = 'export function clamp(value: number, low: number, high: number) {\n  return ';
const ANSWER = 'Math.min(Math.max(value, low), high);';

describe('bridge: embedded engines (the real llama.cpp)', function () {
  this.timeout(60_000);
  let folder: string;
  let model: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-embedded-'));
    model = join(folder, 'model.gguf');
    await copyFile(await ensureStarter(modelFolder(process.env)), model);
  });
  after(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const two = async (first: string, second: string) =>
    await startBridge({
      backends: [
        { id: 'first', engine: 'embedded', model: first, context: 2048, gpu: 'big' },
        { id: 'second', engine: 'embedded', model: second, context: 2048 },
      ],
      gpus: [{ id: 'big', vendor: 'nvidia', memory_gb: 96 }],
      models: [{ id: 'coder', backends: ['first', 'second'] }],
    });

  it('complete from both sides of the cursor and chat; when one is killed the other answers, and it comes back', async () => {
    await using bridge = await two(model, model);
    await backendIs(bridge, 'first', 'up');
    await backendIs(bridge, 'second', 'up');
    const first = await complete(bridge);
    assert.ok(first.text.startsWith(ANSWER), first.text);
    assert.equal(first.headers.get('x-hearth-backend'), 'first');
    assert.equal(first.headers.get('x-hearth-gpu'), 'big');

    await rename(model, `${model}.gone`);
    process.kill(pidOf(bridge, 'first'), 'SIGKILL');
    const second = await complete(bridge);
    assert.ok(second.text.startsWith(ANSWER), second.text);
    assert.equal(second.headers.get('x-hearth-backend'), 'second');
    assert.equal(second.headers.get('x-hearth-fallback'), '1');
    await backendIs(bridge, 'first', 'down', /model\.gguf/);
    await rename(`${model}.gone`, model);
    await backendIs(bridge, 'first', 'up');
    assert.equal((await complete(bridge)).headers.get('x-hearth-backend'), 'first');
  });

  it('that cannot load their model are down with the reason, and the bridge serves on', async () => {
    const truncated = join(folder, 'truncated.gguf');
    await writeFile(truncated, 'GGUF');
    await using bridge = await two(join(folder, 'missing.gguf'), truncated);
    await backendIs(bridge, 'first', 'down', /missing\.gguf/);
    await backendIs(bridge, 'second', 'down', /truncated/);
    const ready = await fetch(`${bridge.url}/ready`);
    assert.equal(ready.status, 503);
    const told = await ready.text();
    assert.ok(!told.includes(folder), told);
    const reply = await fetch(`${bridge.url}/v1/completions`, request());
    assert.equal(reply.status, 503);
    assert.equal(((await reply.json()) as { error: { code: string } }).error.code, 'no_backend');
    assert.equal((await fetch(`${bridge.url}/health`)).status, 200);
  });

  it('take a prefix longer than their context, and are gone when the bridge is', async () => {
    const bridge = await two(model, model);
    try {
      await backendIs(bridge, 'first', 'up');
      const long = await complete(bridge, `${'// a long file\n'.repeat(5_000)}${PROMPT}`);
      assert.ok(long.text.startsWith(ANSWER), long.text);
    } finally {
      await bridge[Symbol.asyncDispose]();
    }
    for (const backend of ['first', 'second'])
      assert.throws(() => process.kill(pidOf(bridge, backend), 0), /ESRCH/);
  });

  it('that hang do not keep the bridge from stopping', async () => {
    const bridge = await two(model, model);
    await backendIs(bridge, 'first', 'up');
    process.kill(pidOf(bridge, 'first'), 'SIGSTOP');
    await bridge[Symbol.asyncDispose]();
    assert.throws(() => process.kill(pidOf(bridge, 'first'), 0), /ESRCH/);
  });
});

function request(prompt = PROMPT): RequestInit {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt, suffix: '\n', max_tokens: 64, temperature: 0 }),
  };
}

async function complete(bridge: RunningBridge, prompt?: string): Promise<{ text: string; headers: Headers }> {
  const reply = await fetch(`${bridge.url}/v1/completions`, request(prompt));
  const body = (await reply.json()) as { choices?: { text: string }[] };
  assert.equal(reply.status, 200, JSON.stringify(body));
  return { text: body.choices?.[0]?.text ?? '', headers: reply.headers };
}

/** Waits until the status document says so of a backend; mocha's limit ends a wait for what never comes. */
async function backendIs(bridge: RunningBridge, id: string, state: string, reason = /(?:)/): Promise<void> {
  for (;;) {
    const { backends } = (await (await fetch(`${bridge.url}/hearth/v1/status`)).json()) as {
      backends: { id: string; state: string; reason: string | null }[];
    };
    const backend = backends.find((one) => one.id === id);
    if (backend?.state === state && reason.test(backend.reason ?? '')) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function pidOf(bridge: RunningBridge, backend: string): number {
  const ready = bridge.logged.filter(
    (line) => line.includes(`"backend":"${backend}"`) && line.includes('engine ready'),
  );
  return (JSON.parse(ready.at(-1) ?? '{}') as { pid: number }).pid;
}
