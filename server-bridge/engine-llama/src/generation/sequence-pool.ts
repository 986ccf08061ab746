/** Lends out a fixed number of sequences: first come first served, preferring the one that has most of the work. */

interface Waiter<T> {
  readonly score: (sequence: T) => number;
  readonly resolve: (sequence: T) => void;
}

export class SequencePool<T> {
  /** Longest unused first, so that a sequence with nothing in common takes the stalest one. */
  readonly #free: T[];
  readonly #waiting = new Set<Waiter<T>>();
  #lent = 0;
  #released: PromiseWithResolvers<void> | undefined;

  constructor(sequences: readonly T[]) {
    this.#free = [...sequences];
  }

  get lent(): number {
    return this.#lent;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** The free sequence of the highest score, as soon as there is one. An abort while waiting rejects with its reason. */
  async acquire(score: (sequence: T) => number, { signal }: { signal: AbortSignal }): Promise<T> {
    signal.throwIfAborted();
    if (this.#free.length > 0) return this.#take(score);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const waiter: Waiter<T> = { score, resolve };
    const giveUp = (): void => {
      if (this.#waiting.delete(waiter)) reject(signal.reason as Error);
    };
    this.#waiting.add(waiter);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Settles once nothing is lent or waited for. */
  async idle(): Promise<void> {
    while (this.#lent > 0 || this.#waiting.size > 0) {
      this.#released ??= Promise.withResolvers<void>();
      await this.#released.promise;
    }
  }

  release(sequence: T): void {
    this.#lent -= 1;
    this.#released?.resolve();
    this.#released = undefined;
    this.#free.push(sequence);
    const [first] = this.#waiting;
    if (first === undefined) return;
    this.#waiting.delete(first);
    first.resolve(this.#take(first.score));
  }

  #take(score: (sequence: T) => number): T {
    const scores = this.#free.map(score);
    const best = scores.indexOf(Math.max(...scores));
    this.#lent += 1;
    const [sequence] = this.#free.splice(best, 1);
    return sequence as T;
  }
}
