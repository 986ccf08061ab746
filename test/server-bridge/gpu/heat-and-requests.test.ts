/** From what nvidia-smi prints to who answers: the whole bridge, with a stand-in for the tool. */
import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NvidiaSmi } from '../../../server-bridge/src/gpu/nvidia-smi.ts';
import { Radeon } from '../../../server-bridge/src/gpu/radeon.ts';
import { startBridge, twoBackends } from '../../support/bridge.ts';
import { errorIn, post, statusOf, untilStatus } from '../../support/bridge-client.ts';
import { says, startFakeBackend } from '../../support/fake-backend.ts';

const INTERVAL_MS = 50;

describe('gpu: heat and requests', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-heat-'));
    await writeFile(join(folder, 'nvidia-smi'), `#!/bin/sh\ncat '${folder}/answer'\n`, { mode: 0o755 });
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** What the tool prints from now on, whole at any moment. */
  async function card(celsius: number, recovery = 'None', utilization = 50) {
    await writeFile(
      join(folder, 'next'),
      `GPU-5a1b7c0e, 00000000:01:00.0, ${celsius}, ${utilization}, 81234, 97887, 300.00, Not Active, Not Active, Not Active, ${recovery}\n`,
    );
    await rename(join(folder, 'next'), join(folder, 'answer'));
  }

  const gpuWatch = () => ({
    sources: { nvidia: new NvidiaSmi({ folders: [folder] }), amd: new Radeon({ root: folder }) },
    interval: INTERVAL_MS,
  });
  const ask = async (url: string, model: string) =>
    await post(url, '/v1/completions', { model, prompt: 'x' });

  it('a hot card sheds its load, a critical one takes nothing, and a cool one is back', async () => {
    await card(60);
    await using first = await startFakeBackend(says('first'));
    await using second = await startFakeBackend(says('second'));
    await using bridge = await startBridge(twoBackends(first.url, second.url), { gpuWatch: gpuWatch() });
    const { url } = bridge;
    const level = async (word: string) => await untilStatus(url, ({ gpus }) => gpus[0]?.level === word);
    const answeredBy = async (model: string) => {
      const reply = await ask(url, model);
      await reply.text();
      return [reply.status, reply.headers.get('x-hearth-backend'), reply.headers.get('x-hearth-fallback')];
    };

    assert.deepEqual(await answeredBy('coder'), [200, 'first', '0']);
    const { gpus } = await statusOf(url);
    assert.equal(gpus[0]?.temperature_c, 60);
    assert.equal(gpus[0].memory_total_mb, 97_887);
    assert.equal(gpus[1]?.level, 'unwatched');

    await card(88);
    await level('hot');
    assert.deepEqual(await answeredBy('coder'), [200, 'second', '1']);
    const hot = await statusOf(url);
    assert.equal(hot.gpus[0]?.reason, 'rtx6000 is at 88 °C, over its limit of 85');
    assert.equal(hot.models[0]?.hearth.state, 'fallback');
    assert.deepEqual(
      await answeredBy('first'),
      [200, 'first', '0'],
      'hot, it still does what nobody else can',
    );

    await card(95);
    await level('critical');
    assert.deepEqual(await answeredBy('coder'), [200, 'second', '1']);
    const refused = await ask(url, 'first');
    assert.equal(refused.status, 503);
    const error = await errorIn(refused);
    assert.equal(error.code, 'no_backend');
    assert.match(error.message ?? '', /rtx6000 is at 95 °C, over its critical limit of 92/);

    await card(60);
    await level('ok');
    assert.deepEqual(await answeredBy('coder'), [200, 'first', '0']);

    await card(60, 'Reset');
    await level('critical');
    assert.deepEqual(await answeredBy('coder'), [200, 'second', '1']);
    assert.equal(bridge.logged.filter((line) => line.includes('gpu not watched')).length, 1);
  });

  it('readings that waver send no new status to those who follow it', async () => {
    await card(60);
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url), { gpuWatch: gpuWatch() });
    const client = new AbortController();
    const reply = await fetch(`${bridge.url}/hearth/v1/events`, { signal: client.signal });
    let text = '';
    const reading = (async () => {
      for await (const part of reply.body!.pipeThrough(new TextDecoderStream())) text += part;
    })().catch(() => {});
    const documents = () => text.split('event: status').length - 1;
    // What the backends' own start still had to tell.
    await sleep(400);
    const before = documents();
    for (let round = 0; round < 10; round++) {
      await card(60 + (round % 2), 'None', 50 + (round % 5));
      await sleep(INTERVAL_MS * 1.5);
    }
    assert.equal(documents(), before);
    await card(70);
    while (documents() === before) await sleep(10);
    assert.match(text, /"temperature_c":70/);
    client.abort();
    await reading;
  });
});
