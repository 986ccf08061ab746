import assert from 'node:assert/strict';
import type { GpuConfig } from '@hearth/protocol';
import { pino } from 'pino';
import { GpuWatch } from '../../../server-bridge/src/gpu/gpu-watch.ts';
import type { GpuSource, Look } from '../../../server-bridge/src/gpu/reading.ts';

const RTX: GpuConfig = {
  id: 'rtx6000',
  vendor: 'nvidia',
  uuid: 'GPU-0000',
  memory_gb: 96,
  limits: { hot_c: 85, critical_c: 92 },
};
const RX: GpuConfig = { ...RTX, id: 'rx9070xt', vendor: 'amd', uuid: undefined, pci: '0000:0c:00.0' };

function at(temperatureC: number | null): Look {
  const unknown = { utilization: null, memoryUsedMb: null, memoryTotalMb: null, powerW: null };
  return { kind: 'read', reading: { temperatureC, ...unknown, slowdown: null, fault: null } };
}

/** A watch over sources that say what the test has them say; the clock stands still unless moved. */
function standingWatch() {
  const says: { nvidia: Look; amd: Look } = { nvidia: at(50), amd: at(50) };
  const clock = { now: 1_000_000 };
  const heard: string[] = [];
  const log: { level: number; msg: string; gpu?: string; reason?: string }[] = [];
  let changes = 0;
  const source = (vendor: 'nvidia' | 'amd'): GpuSource => ({
    look: async (cards) => await Promise.resolve(cards.map(() => says[vendor])),
    close: () => heard.push(`${vendor} closed`),
  });
  const watch = new GpuWatch({
    log: pino({ level: 'debug' }, { write: (line: string) => void log.push(JSON.parse(line)) }),
    sources: { nvidia: source('nvidia'), amd: source('amd') },
    interval: 3_600_000,
    now: () => clock.now,
    onReading: (gpu, reading, heat) => heard.push(`${gpu} ${reading?.temperatureC ?? '-'} ${heat.level}`),
    onChange: () => changes++,
  });
  return {
    watch,
    says,
    clock,
    heard,
    log,
    changes: () => changes,
    level: () => watch.status().map(({ level }) => level),
  };
}

describe('gpu: the watch', () => {
  const open: GpuWatch[] = [];
  const watchOver = () => {
    const over = standingWatch();
    open.push(over.watch);
    return over;
  };
  afterEach(() => {
    for (const watch of open.splice(0)) watch.close();
  });

  it('tells of each card at once and after each look, and of no other', async () => {
    const { watch, says, heard, level } = watchOver();
    says.amd = at(95);
    await watch.watch([RTX, RX]);
    assert.deepEqual(heard.splice(0), [
      'rtx6000 - ok',
      'rx9070xt - ok',
      'rtx6000 50 ok',
      'rx9070xt 95 critical',
    ]);
    assert.deepEqual(level(), ['ok', 'critical']);
    await watch.watch([RTX]);
    assert.deepEqual(heard.splice(0), ['rtx6000 50 ok', 'rtx6000 50 ok']);
    assert.deepEqual(level(), ['ok']);
    watch.close();
    assert.deepEqual(heard.splice(0), ['nvidia closed', 'amd closed']);
    await watch.watch([RTX]);
    assert.deepEqual(heard, ['rtx6000 50 ok'], 'no look after the end');
  });

  it('a card that never was there is said once, is unwatched, and counts as well', async () => {
    const { watch, says, heard, log, level } = watchOver();
    says.nvidia = { kind: 'silent', reason: 'there is no nvidia-smi on this machine' };
    says.amd = { kind: 'absent', reason: 'the amdgpu driver has no card here' };
    for (let look = 0; look < 3; look++) await watch.watch([RTX, RX]);
    assert.deepEqual(
      log.map(({ level, gpu, reason }) => [level, gpu, reason]),
      [
        [30, 'rtx6000', 'there is no nvidia-smi on this machine'],
        [30, 'rx9070xt', 'the amdgpu driver has no card here'],
      ],
    );
    assert.ok(heard.every((line) => line.endsWith('- ok')));
    assert.deepEqual(level(), ['unwatched', 'unwatched']);
    says.nvidia = at(50);
    await watch.watch([RTX, RX]);
    assert.equal(log.at(-1)?.msg, 'gpu watched now');
    assert.deepEqual(level(), ['ok', 'unwatched']);
  });

  it('a card that has gone is lost until it is read again; one that is only silent stays as it was', async () => {
    const { watch, says, clock, log, level } = watchOver();
    says.nvidia = at(88);
    await watch.watch([RTX]);
    says.nvidia = { kind: 'silent', reason: 'nvidia-smi hangs' };
    clock.now += 61_000;
    await watch.watch([RTX]);
    const [entry] = watch.status();
    assert.equal(entry?.level, 'hot');
    assert.equal(entry.age_s, 60);
    assert.match(entry.reason ?? '', /60 s ago; since then nvidia-smi hangs/);
    says.nvidia = { kind: 'absent', reason: 'nvidia-smi lists no card with GPU-0000' };
    await watch.watch([RTX]);
    assert.equal(watch.status()[0]?.reason, 'rtx6000 is lost: nvidia-smi lists no card with GPU-0000');
    assert.deepEqual(level(), ['critical']);
    says.nvidia = at(60);
    await watch.watch([RTX]);
    assert.deepEqual(level(), ['ok']);
    assert.equal(watch.status()[0]?.age_s, 0);
    assert.deepEqual(
      log.map(({ level, reason }) => [level, reason]),
      [
        [40, 'rtx6000 is at 88 °C, over its limit of 85'],
        [40, 'rtx6000 is lost: nvidia-smi lists no card with GPU-0000'],
        [30, undefined],
      ],
    );
  });

  it('other limits apply from the next look on; another card begins anew', async () => {
    const { watch, says, heard, level } = watchOver();
    says.nvidia = at(88);
    await watch.watch([RTX]);
    await watch.watch([{ ...RTX, limits: { hot_c: 95, critical_c: 100 } }]);
    assert.deepEqual(level(), ['ok']);
    says.nvidia = { kind: 'silent', reason: 'nvidia-smi hangs' };
    heard.length = 0;
    await watch.watch([{ ...RTX, uuid: 'GPU-1111' }]);
    assert.deepEqual(level(), ['unwatched']);
    assert.deepEqual(heard, ['rtx6000 - ok', 'rtx6000 - ok']);
  });

  it('readings that waver are no change', async () => {
    const { watch, says, changes } = watchOver();
    await watch.watch([RTX]);
    const before = changes();
    for (const celsius of [51, 50, 49, 51]) {
      says.nvidia = at(celsius);
      await watch.watch([RTX]);
    }
    assert.equal(changes(), before);
  });
});
