/** The `Clock` port over the machine's own clocks. */
import type { Clock } from './tunnel/ports.ts';

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
