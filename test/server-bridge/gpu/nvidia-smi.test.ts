/** Stand-ins for nvidia-smi: scripts that print, fail, hang, or know fewer fields. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { NvidiaSmi } from '../../../server-bridge/src/gpu/nvidia-smi.ts';

const RTX = { uuid: 'GPU-5a1b7c0e-9d2f-4e6a-8b3c-1f0e2d3c4b5a' };
const OTHER = { uuid: 'GPU-c0ffee00-1234-5678-9abc-def012345678' };
const file = (name: string) => join(import.meta.dirname, 'nvidia-smi', `${name}.txt`);

describe('gpu: nvidia-smi (a stand-in: there is no card here)', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-smi-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  const standIn = async (script: string) =>
    await writeFile(
      join(folder, 'nvidia-smi'),
      `#!/bin/sh\nprintf '%s\\n' "$*" >> '${folder}/calls'\n${script}\n`,
      { mode: 0o755 },
    );
  const calls = async () => (await readFile(join(folder, 'calls'), 'utf8')).trimEnd().split('\n');

  it('is asked once for all cards, and answers for each', async () => {
    await standIn(`cat '${file('healthy')}'`);
    const smi = new NvidiaSmi({ folders: ['/nowhere', folder] });
    const [rtx, other, absent] = await smi.look([RTX, OTHER, { uuid: 'GPU-0000' }]);
    assert.equal(rtx?.kind === 'read' && rtx.reading.temperatureC, 64);
    assert.equal(other?.kind === 'read' && other.reading.temperatureC, 38);
    assert.equal(absent?.kind, 'absent');
    assert.equal((await calls()).length, 1);
  });

  it('a card that fails the whole call is found by where it was seen before', async () => {
    await standIn(`cat '${file('healthy')}'`);
    const smi = new NvidiaSmi({ folders: [folder] });
    await smi.look([RTX, OTHER]);
    await standIn(`cat '${file('all-fail')}' >&2; exit 15`);
    const [rtx, other] = await smi.look([RTX, OTHER]);
    assert.equal(rtx?.kind, 'lost');
    assert.equal(other?.kind, 'silent');
  });

  it('an old driver is asked again without what it does not know, and the next time at once so', async () => {
    const row = readFileSync(file('slowdown'), 'utf8').replace(', None', '');
    await standIn(
      `case "$1" in
        *gpu_recovery_action*) echo 'Field "gpu_recovery_action" is not a valid field to query.'; exit 2 ;;
        *clocks_event_reasons.hw_thermal*) echo 'Field "clocks_event_reasons.hw_thermal_slowdown" is not a valid field to query.' >&2; exit 2 ;;
        *) echo '${row.trim()}' ;;
      esac`,
    );
    const smi = new NvidiaSmi({ folders: [folder] });
    const [look] = await smi.look([RTX]);
    assert.equal(look?.kind === 'read' && look.reading.slowdown, 'hardware thermal slowdown');
    assert.equal((await calls()).length, 3);
    assert.match((await calls()).at(-1) ?? '', /clocks_throttle_reasons\.hw_thermal_slowdown/);
    await smi.look([RTX]);
    assert.equal((await calls()).length, 4);
  });

  it('an answer that names a field nobody asked for ends the asking', async () => {
    await standIn(`echo 'Field "uuid" is not a valid field to query.'; exit 2`);
    const [look] = await new NvidiaSmi({ folders: [folder] }).look([RTX]);
    assert.match(JSON.stringify(look), /silent.*not a valid field/);
  });

  it('a missing one is said, with the folders; so is one that cannot be run', async () => {
    assert.deepEqual(await new NvidiaSmi({ folders: [folder] }).look([RTX]), [
      { kind: 'silent', reason: `there is no nvidia-smi on this machine (looked in ${folder})` },
    ]);
    await writeFile(join(folder, 'nvidia-smi'), '#!/nowhere/sh\n', { mode: 0o755 });
    const smi = new NvidiaSmi({ folders: [folder] });
    for (let time = 0; time < 2; time++)
      assert.match(JSON.stringify(await smi.look([RTX])), /silent.*can't be run/);
  });

  it('one that hangs is ended at the deadline, and asked anew the next time', async () => {
    await standIn('exec sleep 30');
    const smi = new NvidiaSmi({ folders: [folder], deadlineMs: 200 });
    const since = performance.now();
    assert.deepEqual(await smi.look([RTX]), [{ kind: 'silent', reason: 'nvidia-smi does not answer' }]);
    assert.ok(performance.now() - since < 2_000);
    await standIn(`cat '${file('healthy')}'`);
    while ((await smi.look([RTX]))[0]?.kind !== 'read') await sleep(20);
  });

  it('one that no signal ends is left behind, and no other is started until it has gone', async () => {
    await standIn(`while [ ! -e '${folder}/go' ]; do sleep 0.05; done`);
    // Continuing what runs does nothing: as with a process in state D.
    const smi = new NvidiaSmi({ folders: [folder], deadlineMs: 200, endBy: 'SIGCONT' });
    assert.match(JSON.stringify(await smi.look([RTX])), /does not answer/);
    for (let time = 0; time < 3; time++) assert.match(JSON.stringify(await smi.look([RTX])), /hangs/);
    assert.equal((await calls()).length, 1);
    await standIn(`cat '${file('healthy')}'`);
    await writeFile(join(folder, 'go'), '');
    while ((await smi.look([RTX]))[0]?.kind !== 'read') await sleep(20);
    assert.equal((await calls()).length, 2);
  });

  it('one that hangs when the bridge closes does not keep it', async () => {
    await standIn('exec sleep 30');
    const smi = new NvidiaSmi({ folders: [folder] });
    const look = smi.look([RTX]);
    await sleep(50);
    smi.close();
    assert.equal((await look)[0]?.kind, 'silent');
  });

  it('a child of its own that keeps its output open does not hold us either', async () => {
    await standIn(`cat '${file('healthy')}'; sleep 1 & exit 0`);
    const smi = new NvidiaSmi({ folders: [folder], deadlineMs: 200 });
    assert.match(JSON.stringify(await smi.look([RTX])), /does not answer/);
  });
});
