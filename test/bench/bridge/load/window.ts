/** The measured part of a run: what was used and received between its opening and its closing. */
import { nowUs } from '../clock.ts';
import { cpuSeconds } from '../proc.ts';
import type { Target, Window } from './orders.ts';

/** `tokens` tells how many have arrived so far; the returned function closes the window. */
export function openWindow(target: Target, tokens: () => number): () => Window {
  const look = () => ({
    seconds: nowUs() / 1e6,
    tokens: tokens(),
    cpuSeconds: cpuSeconds(target.pids),
    loadCpuSeconds: cpuSeconds([process.pid]),
  });
  const from = look();
  return () => {
    const to = look();
    return {
      seconds: to.seconds - from.seconds,
      tokens: to.tokens - from.tokens,
      cpuSeconds: to.cpuSeconds - from.cpuSeconds,
      loadCpuSeconds: to.loadCpuSeconds - from.loadCpuSeconds,
    };
  };
}
