/** The systemd and docker runners with stand-ins for `systemctl` and `docker` that write down how they are called. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bridgeConfig } from '@hearth/protocol';
import { pino } from 'pino';
import { DockerRunner } from '../../../../server-bridge/src/lifecycle/runners/docker.ts';
import { makeRunner } from '../../../../server-bridge/src/lifecycle/runners/make-runner.ts';
import { SystemdRunner } from '../../../../server-bridge/src/lifecycle/runners/systemd.ts';

const never = new AbortController().signal;

describe('runners of the system (stand-ins: neither systemd nor a Docker daemon runs here)', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-system-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  /** Puts a program there that records its arguments and then does what the script says. */
  const standIn = async (name: string, script: string) =>
    await writeFile(
      join(folder, name),
      `#!/bin/sh\nfor a in "$@"; do printf '%s\\n' "$a"; done >> '${folder}/calls'; echo -- >> '${folder}/calls'\n${script}\n`,
      { mode: 0o755 },
    );
  const calls = async () =>
    (await readFile(join(folder, 'calls'), 'utf8'))
      .split('--\n')
      .filter((call) => call !== '')
      .map((call) => call.trimEnd().split('\n').join(' '));

  it('systemctl gets the verb and the unit, and its words become a state', async () => {
    const runner = new SystemdRunner('vllm@coder.service', ['/nowhere', folder]);
    for (const [word, code, state] of [
      ['active', 0, 'yes'],
      ['activating', 3, 'yes'],
      ['inactive', 3, 'no'],
      ['failed', 3, 'no'],
      ['unheard-of', 4, 'unknown'],
    ] as const) {
      await standIn('systemctl', `echo ${word}; exit ${code}`);
      assert.equal(await runner.running(never), state);
    }
    await standIn('systemctl', 'exit 0');
    await runner.start(never);
    await runner.stop(never);
    assert.deepEqual((await calls()).slice(-3), [
      '--no-ask-password is-active vllm@coder.service',
      '--no-ask-password start vllm@coder.service',
      '--no-ask-password stop vllm@coder.service',
    ]);
    await runner.close();
    assert.equal((await calls()).length, 7, 'a unit outlives the bridge');
  });

  it('docker gets the verb and the container, and tells whether it runs', async () => {
    const runner = new DockerRunner('vllm-coder', [folder]);
    for (const [script, state] of [
      ['echo true', 'yes'],
      ['echo false', 'no'],
      ['echo "no such object" >&2; exit 1', 'unknown'],
    ] as const) {
      await standIn('docker', script);
      assert.equal(await runner.running(never), state);
    }
    await standIn('docker', 'exit 0');
    await runner.start(never);
    await runner.stop(never);
    assert.deepEqual((await calls()).slice(-3), [
      'inspect --format {{.State.Running}} vllm-coder',
      'start vllm-coder',
      'stop vllm-coder',
    ]);
  });

  it('what the program says of its failure is the reason', async () => {
    await standIn('systemctl', 'echo "first line" >&2; echo "Unit vllm.service not found." >&2; exit 5');
    await assert.rejects(new SystemdRunner('vllm.service', [folder]).start(never), {
      message: 'systemctl start vllm.service failed: Unit vllm.service not found.',
    });
    await standIn('docker', 'exit 1');
    await assert.rejects(new DockerRunner('vllm', [folder]).stop(never), {
      message: 'docker stop vllm failed: exit code 1',
    });
  });

  it('a missing program is named, with the folders; PATH is not asked', async () => {
    await assert.rejects(new SystemdRunner('vllm', [folder]).start(never), {
      message: `there is no systemctl on this machine (looked in ${folder})`,
    });
  });

  it('the signal ends the waiting', async () => {
    await standIn('systemctl', 'exec sleep 30');
    const runner = new SystemdRunner('vllm', [folder]);
    await assert.rejects(runner.start(AbortSignal.timeout(100)), { name: 'TimeoutError' });
  });

  it('names that could be options, and empty commands, are refused by the configuration', () => {
    const config = (runner: unknown) =>
      bridgeConfig.safeParse({
        backends: [{ id: 'own', engine: 'openai', url: 'http://127.0.0.1:9', model: 'm', runner }],
        models: [{ id: 'coder', backends: ['own'] }],
      });
    for (const good of [
      { kind: 'none' },
      { kind: 'process', command: ['vllm', 'serve', '', '--x'] },
      { kind: 'systemd', unit: String.raw`vllm@a\x2db-c.service` },
      { kind: 'docker', container: 'vllm-coder_1.0' },
    ]) {
      const parsed = config(good);
      assert.ok(parsed.success, JSON.stringify(good));
      const { runner } = parsed.data.backends[0]!;
      makeRunner(runner, { backend: 'own', log: pino({ level: 'silent' }), onExit: () => {} });
    }
    for (const bad of [
      { kind: 'process', command: [] },
      { kind: 'process', command: [''] },
      { kind: 'process', command: ['a\0b'] },
      { kind: 'systemd', unit: '--force' },
      { kind: 'systemd', unit: 'a b' },
      { kind: 'systemd', unit: '' },
      { kind: 'docker', container: '-v' },
      { kind: 'docker', container: 'a/b' },
    ])
      assert.ok(!config(bad).success, JSON.stringify(bad));
  });
});
