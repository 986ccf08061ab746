/** Processor time and memory of other processes, from Linux's /proc. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** Linux reports processor time in hundredths of a second on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Fields after the command's name, which may itself hold spaces and parentheses; the first is the state. */
function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** utime + stime of all of them. */
export function cpuSeconds(pids: number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

/** A process and all its descendants, as they are now. */
export function withDescendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(statFields(Number(name))[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    } catch {
      // It ended between the listing and the look.
    }
  }
  const all = [pid];
  for (const one of all) all.push(...(children.get(one) ?? []));
  return all;
}

function statusMb(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const kb = new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kb ?? 0) / 1_024;
}

export const rssMb = (pids: number[]) => pids.reduce((sum, pid) => sum + statusMb(pid, 'VmRSS'), 0);

/** The most since the last `resetPeak`. */
export const peakMb = (pids: number[]) => pids.reduce((sum, pid) => sum + statusMb(pid, 'VmHWM'), 0);

export function resetPeak(pids: number[]): void {
  for (const pid of pids) writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
