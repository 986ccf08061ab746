/** Microseconds of the machine's monotonic clock: the same in every process, so that times can be sent and compared. */
import { hrtime } from 'node:process';

export function nowUs(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1e6 + Math.round(nanoseconds / 1_000);
}
