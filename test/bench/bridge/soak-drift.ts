/** Whether memory is where it was: medians, since single samples stand wherever the collector has just left them. */
import { quantile } from '../statistics.ts';

export function drift(samples: [number, number][]): { early: number; late: number } {
  const fifth = Math.floor(samples.length / 5);
  const medianOf = (part: [number, number][]) =>
    quantile(
      part.map(([, mb]) => mb),
      0.5,
    );
  return { early: medianOf(samples.slice(fifth, 2 * fifth)), late: medianOf(samples.slice(-fifth)) };
}
