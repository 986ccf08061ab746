/** What the upstream's process and the benchmark say to each other. */

export type UpstreamQuestion = { ask: 'closed' } | { ask: 'served' };

export type UpstreamNews =
  | { news: 'listening'; port: number }
  /** Since the last time it was asked: [stream id, when its connection went before it was whole]. */
  | { news: 'closed'; closedUs: [number, number][] }
  | { news: 'served'; served: number };
