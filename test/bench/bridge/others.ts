/** How busy the machine is with what isn't part of the measurement: the first thing to look at when figures disagree. */
import { readFileSync } from 'node:fs';
import { cpuSeconds } from './proc.ts';
import type { Player, Stage } from './stage.ts';

const TICKS_PER_SECOND = 100;

/** Seconds of all cores that were spent on anything: all columns but idle and waiting for disks. */
function busySeconds(): number {
  const line = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}

/** Starts to watch; the returned function gives the cores that everything else took since. */
export function watchOthers(stage: Stage, player: Player): () => number {
  const ours = [process.pid, stage.load.pid, stage.upstream.pid, ...player.pids()];
  const look = () => ({ at: performance.now() / 1_000, others: busySeconds() - cpuSeconds(ours) });
  const from = look();
  return () => {
    const to = look();
    return Math.max(0, (to.others - from.others) / (to.at - from.at));
  };
}
