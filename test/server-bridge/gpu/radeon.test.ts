/** Trees as amdgpu makes them, in a temporary folder. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Radeon } from '../../../server-bridge/src/gpu/radeon.ts';

const RX9070XT = {
  'hwmon/hwmon4/temp1_label': 'edge\n',
  'hwmon/hwmon4/temp1_input': '61000\n',
  'hwmon/hwmon4/temp2_label': 'junction\n',
  'hwmon/hwmon4/temp2_input': '78600\n',
  'hwmon/hwmon4/temp3_label': 'mem\n',
  'hwmon/hwmon4/temp3_input': '84000\n',
  'hwmon/hwmon4/power1_average': '231000000\n',
  gpu_busy_percent: '88\n',
  mem_info_vram_used: '9663676416\n',
  mem_info_vram_total: '17095983104\n',
};

describe('gpu: Radeon cards (in a made-up sysfs: there is no card here)', () => {
  let root: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'hearth-sys-'));
  });
  afterEach(async () => {
    await rm(root, { recursive: true, force: true });
  });

  async function card(address: string, files: Record<string, string>) {
    const device = join(root, 'bus/pci/devices', address);
    for (const [name, text] of Object.entries({ uevent: '', ...files })) {
      await mkdir(dirname(join(device, name)), { recursive: true });
      await writeFile(join(device, name), text);
    }
    const driver = join(root, 'bus/pci/drivers/amdgpu');
    await mkdir(driver, { recursive: true });
    await writeFile(join(driver, 'bind'), '');
    await symlink(device, join(driver, address));
  }

  it('are found by address or for being the only one, and read in the units of the status', async () => {
    await card('0000:0c:00.0', RX9070XT);
    const radeon = new Radeon({ root });
    const reading = {
      temperatureC: 79,
      utilization: 0.88,
      memoryUsedMb: 9_216,
      memoryTotalMb: 16_304,
      powerW: 231,
      slowdown: null,
      fault: null,
    };
    for (const pci of ['0000:0c:00.0', '0C:00.0', undefined])
      assert.deepEqual(await radeon.look([{ pci }]), [{ kind: 'read', reading }]);
  });

  it('edge does where junction is missing, and the power of the moment where there is no average', async () => {
    const files: Record<string, string> = { ...RX9070XT, 'hwmon/hwmon4/power1_input': '45400000\n' };
    delete files['hwmon/hwmon4/temp2_label'];
    delete files['hwmon/hwmon4/power1_average'];
    await card('0000:0c:00.0', files);
    const [look] = await new Radeon({ root }).look([{}]);
    assert.equal(look?.kind === 'read' && look.reading.temperatureC, 61);
    assert.equal(look?.kind === 'read' && look.reading.powerW, 45);
  });

  it('labels decide, not the order', async () => {
    await card('0000:0c:00.0', {
      ...RX9070XT,
      'hwmon/hwmon4/temp1_label': 'junction\n',
      'hwmon/hwmon4/temp2_label': 'edge\n',
    });
    const [look] = await new Radeon({ root }).look([{}]);
    assert.equal(look?.kind === 'read' && look.reading.temperatureC, 61);
  });

  it('what is missing or unreadable is null, and without both temperature and load nothing was found out', async () => {
    await card('0000:0c:00.0', { gpu_busy_percent: '0\n', mem_info_vram_used: 'garbage\n' });
    const [look] = await new Radeon({ root }).look([{}]);
    assert.equal(look?.kind, 'read');
    assert.deepEqual(look.kind === 'read' && Object.values(look.reading), [
      null,
      0,
      null,
      null,
      null,
      null,
      null,
    ]);
    await card('0000:0d:00.0', { mem_info_vram_total: '17095983104\n' });
    assert.match(JSON.stringify(await new Radeon({ root }).look([{ pci: '0d:00.0' }])), /silent/);
  });

  it('one that is not there is absent, and of two none is guessed', async () => {
    assert.match(JSON.stringify(await new Radeon({ root }).look([{}])), /absent.*no card here/);
    await card('0000:0c:00.0', RX9070XT);
    await card('0000:70:00.0', RX9070XT);
    const radeon = new Radeon({ root });
    assert.match(JSON.stringify(await radeon.look([{}])), /silent.*2 cards.*gpus\[\]\.pci/);
    assert.match(JSON.stringify(await radeon.look([{ pci: '0000:0e:00.0' }])), /absent/);
    assert.match(JSON.stringify(await radeon.look([{ pci: '../../..' }])), /silent.*no PCI address/);
  });

  it('a driver that hangs is left to itself, and asked no second time until it has answered', async () => {
    await card('0000:0c:00.0', RX9070XT);
    const label = join(root, 'bus/pci/devices/0000:0c:00.0/hwmon/hwmon4/temp1_label');
    await rm(label);
    // Reading a pipe that nobody writes to waits like a read in a driver that hangs.
    execFileSync('mkfifo', [label]);
    const radeon = new Radeon({ root, deadlineMs: 500 });
    assert.match(JSON.stringify(await radeon.look([{}])), /silent/);
    const again = performance.now();
    assert.match(JSON.stringify(await radeon.look([{}])), /silent/);
    assert.ok(performance.now() - again < 400, 'the second look does not wait for the driver');
    // Lets the one go that waits, and nobody wait any more.
    const pipe = await open(label, 'w');
    await rm(label);
    await writeFile(label, 'edge\n');
    await pipe.close();
    while ((await radeon.look([{}]))[0]?.kind !== 'read') await sleep(10);
  });
});
