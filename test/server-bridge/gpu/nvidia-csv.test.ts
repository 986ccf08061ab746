import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  FIELDS,
  lookAt,
  readAnswer,
  smiArguments,
  without,
  type Answer,
} from '../../../server-bridge/src/gpu/nvidia-csv.ts';
import { pciAddress } from '../../../server-bridge/src/gpu/pci-address.ts';

const RTX = 'GPU-5a1b7c0e-9d2f-4e6a-8b3c-1f0e2d3c4b5a';
const OTHER = 'GPU-c0ffee00-1234-5678-9abc-def012345678';
const SEEN = new Map([[RTX.toLowerCase(), '0000:01:00.0']]);
const NEVER_SEEN = new Map<string, string>();

function golden(name: string): Answer {
  return readAnswer(FIELDS, readFileSync(join(import.meta.dirname, 'nvidia-smi', `${name}.txt`), 'utf8'));
}

function readingOf(name: string, card = { uuid: RTX }) {
  const look = lookAt(golden(name), card, SEEN);
  assert.equal(look.kind, 'read');
  return look.reading;
}

describe('gpu: what nvidia-smi says', () => {
  it('of healthy cards: every value, for the card by its uuid, its address, or because it is the only one', () => {
    const healthy = {
      temperatureC: 64,
      utilization: 0.97,
      memoryUsedMb: 81_234,
      memoryTotalMb: 97_887,
      powerW: 412.53,
      slowdown: null,
      fault: null,
    };
    assert.deepEqual(readingOf('healthy'), healthy);
    const answer = golden('healthy');
    for (const pci of ['0000:01:00.0', '01:00.0', '00000000:01:00.0'])
      assert.deepEqual(lookAt(answer, { pci }, NEVER_SEEN), { kind: 'read', reading: healthy });
    assert.match(JSON.stringify(lookAt(answer, {}, NEVER_SEEN)), /silent.*2 NVIDIA cards; gpus\[\]\.uuid/);
    const only = { ...answer, rows: answer.rows.slice(0, 1) };
    assert.deepEqual(lookAt(only, {}, NEVER_SEEN), { kind: 'read', reading: healthy });
    assert.equal(lookAt(answer, { uuid: 'GPU-0000' }, NEVER_SEEN).kind, 'absent');
    assert.equal(lookAt(answer, { pci: 'slot 3' }, NEVER_SEEN).kind, 'silent');
  });

  it('what it does not know is null and never zero', () => {
    assert.deepEqual(readingOf('not-available'), {
      temperatureC: 51,
      utilization: null,
      memoryUsedMb: null,
      memoryTotalMb: null,
      powerW: null,
      slowdown: null,
      fault: null,
    });
    fc.assert(
      fc.property(fc.string(), (cell) => {
        fc.pre(!/[\d,\n]/.test(cell));
        const text = `${RTX}, 00000000:01:00.0, ${cell}, 0, 0, 0, 0, Not Active, Not Active, Not Active, None`;
        const { rows } = readAnswer(FIELDS, text);
        assert.equal(rows[0]?.reading.temperatureC, null);
      }),
    );
  });

  it('of a card in trouble: what its driver wants done, even if the card tells neither uuid nor temperature', () => {
    const reset = readingOf('requires-reset');
    assert.equal(reset.temperatureC, null);
    assert.equal(reset.fault, 'its driver asks for "Reset"');
    assert.equal(readingOf('lost').fault, 'its driver can no longer reach it');
    const older = readFileSync(join(import.meta.dirname, 'nvidia-smi/requires-reset.txt'), 'utf8');
    const withoutRecovery = readAnswer(without(FIELDS, 'gpu_recovery_action')!, older.replace(', Reset', ''));
    const look = lookAt(withoutRecovery, { uuid: RTX }, SEEN);
    assert.equal(look.kind === 'read' && look.reading.fault, 'it requires a reset');
    assert.equal(readingOf('slowdown').slowdown, 'hardware thermal slowdown');
  });

  it('a card that it names and cannot reach is lost, and the others are not', () => {
    const answer = golden('unreachable');
    assert.deepEqual(lookAt(answer, { uuid: RTX }, SEEN), {
      kind: 'lost',
      reason: "nvidia-smi can't reach it (Unknown Error)",
    });
    assert.equal(lookAt(answer, { uuid: OTHER }, SEEN).kind, 'read');
    assert.equal(lookAt(answer, { uuid: RTX }, NEVER_SEEN).kind, 'absent');
    for (const card of [{ uuid: RTX }, { pci: '01:00.0' }, {}])
      assert.equal(lookAt(golden('all-fail'), card, SEEN).kind, 'lost');
    assert.equal(lookAt(golden('all-fail'), { uuid: OTHER }, SEEN).kind, 'silent');
  });

  it('without a driver nothing is known, and without a device it is absent', () => {
    const none = lookAt(golden('no-driver'), { uuid: RTX }, SEEN);
    assert.match(JSON.stringify(none), /silent.*couldn't communicate with the NVIDIA driver/);
    assert.deepEqual(lookAt(golden('no-devices'), { uuid: RTX }, SEEN), {
      kind: 'absent',
      reason: 'nvidia-smi finds no NVIDIA card',
    });
    assert.match(JSON.stringify(lookAt(readAnswer(FIELDS, ''), {}, SEEN)), /silent.*says: nothing/);
  });

  it('an older driver is asked by the older name, then without it; never without what tells cards apart', () => {
    assert.equal(golden('old-driver').unknownField, 'gpu_recovery_action');
    const [query = '', format] = smiArguments(FIELDS);
    assert.equal(format, '--format=csv,noheader,nounits');
    assert.match(query, /^--query-gpu=uuid,pci\.bus_id,temperature\.gpu,.*gpu_recovery_action$/);
    const older = without(FIELDS, 'clocks_event_reasons.hw_slowdown')!;
    assert.match(smiArguments(older)[0] ?? '', /clocks_throttle_reasons\.hw_slowdown/);
    const oldest = without(older, 'clocks_throttle_reasons.hw_slowdown')!;
    assert.doesNotMatch(smiArguments(oldest)[0] ?? '', /reasons\.hw_slowdown/);
    assert.equal(without(FIELDS, 'uuid'), undefined);
    assert.equal(without(FIELDS, 'gpu_name'), undefined);
  });

  it('whatever it prints, nothing is thrown', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const card of [{ uuid: RTX }, { pci: '01:00.0' }, {}])
          assert.ok(lookAt(readAnswer(FIELDS, text), card, SEEN).kind);
      }),
    );
  });
});

describe('gpu: PCI addresses', () => {
  it('have one spelling, and nothing else gets through', () => {
    for (const text of ['0000:0C:00.0', '0c:00.0', '00000000:0c:00.0', ' 0000:0c:00.0 '])
      assert.equal(pciAddress(text), '0000:0c:00.0');
    assert.equal(pciAddress('10000:e1:00.0'), '10000:e1:00.0');
    for (const text of ['', '..', '0000:0c:00.0/..', '0c:00', '0000:0c:00.9', 'GPU-0000'])
      assert.equal(pciAddress(text), undefined);
  });
});
