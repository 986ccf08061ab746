/** A bounded queue in the order of ranks: what can't be held is the last of it, and never the newest as such. Pure. */

export interface Queued {
  /** The lower, the earlier; the same rank goes by arrival. */
  rank: number;
  /** Bytes that are held while it waits. */
  bytes: number;
}

export interface Bounds {
  /** Most that may wait; 0 for any number. */
  entries: number;
  bytes: number;
}

export class Queue<Entry extends Queued> {
  readonly #bounds: Bounds;
  #entries: Entry[] = [];
  #bytes = 0;

  constructor(bounds: Bounds) {
    this.#bounds = bounds;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** The first first. A copy: the queue may change while it is gone through. */
  inOrder(): Entry[] {
    return [...this.#entries];
  }

  add(entry: Entry): void {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#entries[middle]?.rank ?? 0) <= entry.rank) low = middle + 1;
      else high = middle;
    }
    this.#entries.splice(low, 0, entry);
    this.#bytes += entry.bytes;
  }

  /** False if it wasn't in it. */
  remove(entry: Entry): boolean {
    const place = this.#entries.indexOf(entry);
    if (place < 0) return false;
    this.#entries.splice(place, 1);
    this.#bytes -= entry.bytes;
    return true;
  }

  /** Takes out what is beyond the bounds, from the end. */
  overflow(): Entry[] {
    const out: Entry[] = [];
    for (let last = this.#entries.at(-1); last !== undefined && this.#isOver(); last = this.#entries.at(-1)) {
      this.remove(last);
      out.push(last);
    }
    return out;
  }

  #isOver(): boolean {
    const { entries, bytes } = this.#bounds;
    return (entries > 0 && this.#entries.length > entries) || this.#bytes > bytes;
  }
}
