/** How quickly a backend gets through its work, measured, and how long somebody turned away should stay away. Pure. */

/** The weight of the newest request: about the last ten count. */
const NEWEST = 0.1;
const LONGEST_S = 120;

/** Milliseconds that one request holds its place, averaged over the last ones; undefined before the first. */
export function averaged(before: number | undefined, ms: number): number {
  return before === undefined ? ms : before + (ms - before) * NEWEST;
}

export interface Server {
  places: number;
  /** Milliseconds a request; undefined before the first one. */
  serviceMs: number | undefined;
}

/** Whole seconds until so many waiting requests will have been through. */
export function retryAfterS(waiting: number, servers: Server[]): number {
  const perMs = servers.reduce(
    (sum, { places, serviceMs }) => sum + places / Math.max(serviceMs ?? 1_000, 1),
    0,
  );
  if (perMs === 0) return 2;
  return Math.min(Math.max(Math.ceil((waiting + 1) / perMs / 1_000), 1), LONGEST_S);
}
