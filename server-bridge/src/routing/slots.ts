/** A backend's places: as many requests as it takes at once, and a first-come queue for the rest. Pure. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  readonly #capacity: number;
  readonly #idle: (() => void)[] = [];
  #taken = 0;

  readonly #onChange: () => void;

  /** `onChange` is called after each change of the counts. */
  constructor(capacity: number, onChange: () => void = () => {}) {
    this.#capacity = capacity;
    this.#onChange = onChange;
  }

  get inFlight(): number {
    return this.#taken;
  }

  /** Whether the next one would have to wait. */
  get full(): boolean {
    return this.#taken >= this.#capacity;
  }

  get queued(): number {
    return this.#waiting.length;
  }

  /**
   * Waits for a place and returns what gives it back (call it once or more, it counts once). Rejects with the signal's
   * reason if that fires first, and then holds nothing.
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#taken < this.#capacity) this.#taken++;
    else await this.#turn(signal);
    this.#onChange();

    let held = true;
    return () => {
      if (!held) return;
      held = false;
      const next = this.#waiting.shift();
      // The place goes straight to the next in line, so that nobody arriving now can slip in between.
      if (next === undefined) this.#taken--;
      else next();
      if (this.#taken === 0) for (const resolve of this.#idle.splice(0)) resolve();
      this.#onChange();
    };
  }

  /** Resolves when nothing holds or awaits a place. */
  async idle(): Promise<void> {
    if (this.#taken === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle.push(resolve);
    await promise;
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const leave = () => {
      const place = this.#waiting.indexOf(resolve);
      // Already called up: the place is ours, and the caller sees the abort at its next step.
      if (place < 0) return;
      this.#waiting.splice(place, 1);
      this.#onChange();
      reject(signal.reason as Error);
    };
    this.#waiting.push(resolve);
    this.#onChange();
    signal.addEventListener('abort', leave, { once: true });
    await promise;
    signal.removeEventListener('abort', leave);
  }
}
