/** The classes of requests and what each may expect of the queue. Pure. */

export const PRIORITIES = ['interactive', 'chat', 'batch'] as const;
export type Priority = (typeof PRIORITIES)[number];

interface PriorityClass {
  /**
   * Milliseconds that a request of this class lines up behind where it arrived. The queue is in the order of arrival
   * plus this, so a request is overtaken only by what arrives within that time after it: ageing without a clock, and
   * nobody starves.
   */
  behind: number;
  /** Milliseconds it may wait for a place, all its waits together: an answer later than that is of no use. */
  deadline: number;
  /** Milliseconds it waits for a busy backend that its model prefers before a free fallback will do. */
  patience: number;
}

export const CLASSES: Record<Priority, PriorityClass> = {
  interactive: { behind: 0, deadline: 5_000, patience: 250 },
  chat: { behind: 2_000, deadline: 60_000, patience: 3_000 },
  batch: { behind: 30_000, deadline: 600_000, patience: 30_000 },
};

export function isPriority(text: string): text is Priority {
  return (PRIORITIES as readonly string[]).includes(text);
}
