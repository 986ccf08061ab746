/** What the load generator can be told to do, and what it reports. */
import type { Script } from '../script.ts';
import type { Address } from './request-head.ts';

export interface Target extends Address {
  /** The arm's own processes, whose CPU time is counted. */
  pids: number[];
}

/** Streams begin on a schedule, whatever has become of the earlier ones. */
export interface ArrivalsOrder {
  order: 'arrivals';
  target: Target;
  script: Script;
  perSecond: number;
  warmMs: number;
  ms: number;
}

/** So many streams at once, each followed by the next. */
export interface ConcurrentOrder {
  order: 'concurrent';
  target: Target;
  script: Script;
  concurrency: number;
  warmMs: number;
  ms: number;
}

/** Streams that the client abandons after a time, one after the other. */
export interface AbandonOrder {
  order: 'abandon';
  target: Target;
  script: Script;
  count: number;
  /** From a stream's start to its end, and between two starts. */
  afterMs: number;
  everyMs: number;
}

export type Order = ArrivalsOrder | ConcurrentOrder | AbandonOrder;

/** Of the time between warm-up and end. */
export interface Window {
  seconds: number;
  tokens: number;
  /** Seconds of processor time of the target's processes. */
  cpuSeconds: number;
  /** The same of the load generator, to know whether that was the limit. */
  loadCpuSeconds: number;
}

export interface ArrivalsReport extends Window {
  started: number;
  failed: number;
  /** From the request's last byte to the first token, a stream each. */
  firstTokenMs: Float64Array;
  /** How far a gap between two tokens was from the gap between their sendings. */
  gapErrorMs: Float64Array;
  /** How late a request went out against the schedule. */
  lateMs: Float64Array;
}

export interface ConcurrentReport extends Window {
  completed: number;
  failed: number;
}

export interface AbandonReport {
  /** [the stream's id, when the client destroyed its connection]. */
  abandonedUs: [number, number][];
}

export interface ReportOf {
  arrivals: ArrivalsReport;
  concurrent: ConcurrentReport;
  abandon: AbandonReport;
}
