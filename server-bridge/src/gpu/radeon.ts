/**
 * Reads AMD Radeon cards where the amdgpu driver shows them, below /sys: AMD's own exporter is for Instinct cards only.
 * Files and units: https://docs.kernel.org/gpu/amdgpu/thermal.html and .../driver-misc.html.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pciAddress } from './pci-address.ts';
import type { CardName, GpuReading, GpuSource, Look } from './reading.ts';

export interface RadeonOptions {
  /** Where sysfs is. */
  root?: string;
  /** Milliseconds for one look. */
  deadlineMs?: number;
}

const DEADLINE_MS = 5_000;
const MIB = 1024 * 1024;
const UNANSWERED: Look = { kind: 'silent', reason: 'the amdgpu driver does not answer' };

export class Radeon implements GpuSource {
  readonly #root: string;
  readonly #deadlineMs: number;
  /** A read in a driver that hangs never ends, and each one takes a thread along: there is only one. */
  #reading: Promise<Look[]> | undefined;

  constructor({ root = '/sys', deadlineMs = DEADLINE_MS }: RadeonOptions = {}) {
    this.#root = root;
    this.#deadlineMs = deadlineMs;
  }

  async look(cards: readonly CardName[]): Promise<Look[]> {
    if (this.#reading !== undefined) return cards.map(() => UNANSWERED);
    this.#reading = this.#readAll(cards).finally(() => {
      this.#reading = undefined;
    });
    const over = new AbortController();
    const late = sleep(this.#deadlineMs, undefined, { signal: over.signal }).catch(() => undefined);
    const looks = await Promise.race([this.#reading, late]);
    over.abort();
    return looks ?? cards.map(() => UNANSWERED);
  }

  close(): void {}

  async #readAll(cards: readonly CardName[]): Promise<Look[]> {
    const looks: Look[] = [];
    for (const card of cards) looks.push(await this.#readOne(card));
    return looks;
  }

  async #readOne({ pci }: CardName): Promise<Look> {
    const present = await this.#addresses();
    if (pci !== undefined) {
      const address = pciAddress(pci);
      if (address === undefined) return { kind: 'silent', reason: `"${pci}" is no PCI address` };
      if (!present.includes(address))
        return { kind: 'absent', reason: `the amdgpu driver has no card at ${address}` };
      return await this.#read(address);
    }
    const [only, ...others] = present;
    if (only === undefined) return { kind: 'absent', reason: 'the amdgpu driver has no card here' };
    if (others.length > 0)
      return {
        kind: 'silent',
        reason: `the amdgpu driver has ${present.length} cards (${present.join(', ')}); gpus[].pci in the configuration says which one is meant`,
      };
    return await this.#read(only);
  }

  /** Of the cards that the driver has. */
  async #addresses(): Promise<string[]> {
    const names = await namesIn(join(this.#root, 'bus/pci/drivers/amdgpu'));
    return names.filter((name) => pciAddress(name) === name);
  }

  async #read(address: string): Promise<Look> {
    const device = join(this.#root, 'bus/pci/devices', address);
    const sensors = (await namesIn(join(device, 'hwmon'))).find((name) => /^hwmon\d+$/.test(name));
    const hwmon = join(device, 'hwmon', sensors ?? '-');
    const millidegrees = await temperatures(hwmon);
    const hottest = millidegrees.get('junction') ?? millidegrees.get('edge') ?? null;
    const microwatts =
      (await numberIn(join(hwmon, 'power1_average'))) ?? (await numberIn(join(hwmon, 'power1_input')));
    const percent = await numberIn(join(device, 'gpu_busy_percent'));
    const reading: GpuReading = {
      temperatureC: scaled(hottest, 1_000),
      utilization: percent === null ? null : percent / 100,
      memoryUsedMb: scaled(await numberIn(join(device, 'mem_info_vram_used')), MIB),
      memoryTotalMb: scaled(await numberIn(join(device, 'mem_info_vram_total')), MIB),
      powerW: scaled(microwatts, 1_000_000),
      slowdown: null,
      fault: null,
    };
    // During a reset of the card, or while it sleeps, the driver tells neither: then nothing has been found out.
    if (reading.temperatureC === null && reading.utilization === null) return UNANSWERED;
    return { kind: 'read', reading };
  }
}

/** By label, since not every card has all of them and their order is not promised. */
async function temperatures(hwmon: string): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const channel of [1, 2, 3]) {
    const label = await textIn(join(hwmon, `temp${channel}_label`));
    const value = await numberIn(join(hwmon, `temp${channel}_input`));
    if (label !== null && value !== null) found.set(label, value);
  }
  return found;
}

function scaled(value: number | null, unit: number): number | null {
  return value === null ? null : Math.round(value / unit);
}

async function numberIn(file: string): Promise<number | null> {
  const text = await textIn(file);
  return text !== null && /^-?\d+$/.test(text) ? Number(text) : null;
}

/** Null if it isn't there, or the driver won't tell now. */
async function textIn(file: string): Promise<string | null> {
  return await readFile(file, 'utf8').then(
    (text) => text.trim(),
    () => null,
  );
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).then(
    (names) => names.toSorted(),
    () => [],
  );
}
