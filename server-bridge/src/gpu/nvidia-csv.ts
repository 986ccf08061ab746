/**
 * The question for nvidia-smi, and what its answer says. Pure.
 *
 * The fields and the words that stand in for a value are those of `nvidia-smi --help-query-gpu`. Names have changed with
 * the drivers (535 made `clocks_event_reasons` of `clocks_throttle_reasons`), and one unknown name spoils the whole
 * answer, so each field has its names in order and goes on to the next, or does without.
 */
import { pciAddress } from './pci-address.ts';
import type { CardName, GpuReading, Look } from './reading.ts';

/** What we want to know, each with the names to ask for it by, in order. */
export type Fields = Readonly<Record<Field, readonly string[]>>;

type Field =
  | 'uuid'
  | 'pci'
  | 'temperature'
  | 'utilization'
  | 'memoryUsed'
  | 'memoryTotal'
  | 'power'
  | 'hardwareThermalSlowdown'
  | 'softwareThermalSlowdown'
  | 'hardwareSlowdown'
  | 'recovery';

const reason = (name: string) => [`clocks_event_reasons.${name}`, `clocks_throttle_reasons.${name}`];

export const FIELDS: Fields = {
  uuid: ['uuid'],
  pci: ['pci.bus_id'],
  temperature: ['temperature.gpu'],
  utilization: ['utilization.gpu'],
  memoryUsed: ['memory.used'],
  memoryTotal: ['memory.total'],
  power: ['power.draw.instant', 'power.draw'],
  hardwareThermalSlowdown: reason('hw_thermal_slowdown'),
  softwareThermalSlowdown: reason('sw_thermal_slowdown'),
  hardwareSlowdown: reason('hw_slowdown'),
  recovery: ['gpu_recovery_action'],
};

/** One card as nvidia-smi lists it. */
interface Row {
  uuid: string | undefined;
  pci: string | undefined;
  reading: GpuReading;
}

export interface Answer {
  rows: Row[];
  /** Cards that it names and can't reach; the address where it says so. */
  unreachable: { pci: string | undefined; words: string }[];
  /** Not one card is there. */
  none: boolean;
  /** The name that this driver doesn't know, which is why there is nothing else. */
  unknownField: string | undefined;
  /** The last thing it said. */
  lastLine: string;
}

export function smiArguments(fields: Fields): string[] {
  return [`--query-gpu=${namesOf(fields).join(',')}`, '--format=csv,noheader,nounits'];
}

/** The same question without that name; undefined if it has no such name, or nothing could be told without it. */
export function without(fields: Fields, name: string): Fields | undefined {
  const found = Object.entries(fields).find(([, [first]]) => first === name);
  if (found === undefined) return undefined;
  const [field, names] = found;
  if ((field === 'uuid' || field === 'pci') && names.length === 1) return undefined;
  return { ...fields, [field]: names.slice(1) };
}

/** `text` is all that it printed, on both streams: its complaints are on the one or the other. */
export function readAnswer(fields: Fields, text: string): Answer {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return {
    rows: lines.map((line) => readRow(fields, line)).filter((row) => row !== undefined),
    unreachable: lines.map(readUnreachable).filter((one) => one !== undefined),
    none: /no devices were found/i.test(text),
    unknownField: /field "([^"]+)" is not a valid field to query/i.exec(text)?.[1],
    lastLine: lines.at(-1)?.trim().slice(0, LINE_LENGTH) ?? '',
  };
}

/** Of what a program says before it is repeated to people. */
const LINE_LENGTH = 200;

/** What an answer says of the card of that name; `addresses` has where cards were seen before, by their uuid. */
export function lookAt(answer: Answer, card: CardName, addresses: ReadonlyMap<string, string>): Look {
  const uuid = card.uuid?.toLowerCase();
  const pci = card.pci === undefined ? undefined : pciAddress(card.pci);
  if (uuid === undefined && card.pci !== undefined && pci === undefined)
    return { kind: 'silent', reason: `"${card.pci}" is no PCI address` };
  const named = uuid !== undefined || pci !== undefined;
  const known = uuid === undefined ? pci : (addresses.get(uuid) ?? pci);
  const { rows, unreachable, none, lastLine } = answer;

  const lost = named
    ? unreachable.find((one) => one.pci !== undefined && one.pci === known)
    : unreachable.length === 1 && rows.length === 0
      ? unreachable[0]
      : undefined;
  if (lost !== undefined) return { kind: 'lost', reason: `nvidia-smi can't reach it (${lost.words})` };

  if (rows.length === 0)
    return none
      ? { kind: 'absent', reason: 'nvidia-smi finds no NVIDIA card' }
      : { kind: 'silent', reason: `nvidia-smi says: ${lastLine === '' ? 'nothing' : lastLine}` };

  if (!named && rows.length > 1)
    return {
      kind: 'silent',
      reason: `there are ${rows.length} NVIDIA cards; gpus[].uuid in the configuration says which one is meant`,
    };
  // A broken card may not tell its uuid any more, but it is still where it was.
  const isIt = (row: Row) =>
    uuid === undefined || row.uuid === undefined
      ? known !== undefined && row.pci === known
      : row.uuid === uuid;
  const row = named ? rows.find(isIt) : rows[0];
  if (row !== undefined) return { kind: 'read', reading: row.reading };
  return { kind: 'absent', reason: `nvidia-smi lists no card with ${card.uuid ?? card.pci}` };
}

function namesOf(fields: Fields): string[] {
  return Object.values(fields).flatMap(([name]) => (name === undefined ? [] : [name]));
}

function readRow(fields: Fields, line: string): Row | undefined {
  const cells = line.split(',').map((cell) => cell.trim());
  const asked = (Object.keys(fields) as Field[]).filter((field) => fields[field].length > 0);
  if (cells.length !== asked.length) return undefined;
  const cell = (field: Field) => cells[asked.indexOf(field)] ?? '';

  const uuid = /^GPU-[\da-f-]+$/i.test(cell('uuid')) ? cell('uuid').toLowerCase() : undefined;
  const pci = pciAddress(cell('pci'));
  if (uuid === undefined && pci === undefined) return undefined;
  const percent = number(cell('utilization'));
  return {
    uuid,
    pci,
    reading: {
      temperatureC: whole(number(cell('temperature'))),
      utilization: percent === null ? null : percent / 100,
      memoryUsedMb: number(cell('memoryUsed')),
      memoryTotalMb: number(cell('memoryTotal')),
      powerW: number(cell('power')),
      slowdown: SLOWDOWNS.find(([field]) => cell(field) === 'Active')?.[1] ?? null,
      fault: faultIn(cells, cell('recovery')),
    },
  };
}

const SLOWDOWNS = [
  ['hardwareThermalSlowdown', 'hardware thermal slowdown'],
  ['softwareThermalSlowdown', 'thermal slowdown by the driver'],
  ['hardwareSlowdown', 'hardware slowdown'],
] as const;

/** nvidia-smi puts some faults where a value should be, and newer drivers say what to do about them. */
function faultIn(cells: string[], recovery: string): string | null {
  if (/^[a-z]/i.test(recovery) && !NO_RECOVERY.has(recovery.toLowerCase()))
    return `its driver asks for "${recovery}"`;
  if (cells.some((cell) => /gpu is lost/i.test(cell))) return 'its driver can no longer reach it';
  if (cells.some((cell) => /requires reset/i.test(cell))) return 'it requires a reset';
  return null;
}

/** Nothing to recover from, or nothing known of it. */
const NO_RECOVERY = new Set(['none', 'n/a', 'not supported', 'unknown', 'unknown error', 'err!']);

/** As in "Unable to determine the device handle for GPU1: 0000:0C:00.0: Unknown Error", or without the one or the other. */
function readUnreachable(line: string): Answer['unreachable'][number] | undefined {
  const found = /unable to determine the device handle for gpu ?(.*)/i.exec(line);
  if (found === null) return undefined;
  const rest = found[1] ?? '';
  const address = /[\da-f]{4,8}:[\da-f]{2}:[\da-f]{2}\.[0-7]/i.exec(rest)?.[0];
  return {
    pci: address === undefined ? undefined : pciAddress(address),
    words: rest.split(': ').at(-1)?.trim().replace(/\.$/, '').slice(0, LINE_LENGTH) ?? '',
  };
}

/** All that isn't a plain number stands for one that isn't known: `[N/A]`, `[Not Supported]`, `ERR!` and the like. */
function number(cell: string): number | null {
  return /^-?\d+(\.\d+)?$/.test(cell) ? Number(cell) : null;
}

function whole(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
