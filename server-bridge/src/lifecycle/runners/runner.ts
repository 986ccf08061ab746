/** Whoever starts and stops a backend's model server: the port, and what every kind of it is given. */
import type { Logger } from 'pino';

export interface Runner {
  /**
   * Starts the server, or leaves it be if it runs; resolves when it is started, not when it is ready. Rejects with the
   * reason in words. The signal ends the waiting.
   */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when the server is gone, also if it wasn't there. The signal ends the waiting, not the stopping. */
  stop(signal: AbortSignal): Promise<void>;
  running(signal: AbortSignal): Promise<RunnerState>;
  /** To be called when the server's health check answers: should it die now, it is started again soon. */
  answered(): void;
  /** The bridge ends: what is the bridge's child ends with it, what the system runs stays. */
  close(): Promise<void>;
}

export type RunnerState = 'yes' | 'no' | 'unknown';

/** The server ended although it is to run. */
export interface RunnerExit {
  /** In words for a person. */
  reason: string;
  /** What it printed last. */
  lastWords: string;
  /** Milliseconds until it is started again. */
  retryMs: number;
}

export interface RunnerOptions {
  /** Its backend's id, for the log. */
  backend: string;
  log: Logger;
  /** Told only by runners whose servers are the bridge's children: a health check sees the others' end. */
  onExit: (exit: RunnerExit) => void;
}
