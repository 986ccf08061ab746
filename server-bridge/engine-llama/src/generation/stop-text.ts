/** Cuts an answer at the first stop text, and holds back what could yet become one. Pure. */

export class StopText {
  readonly #stops: readonly string[];
  #held = '';

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop !== '');
  }

  /** What may be shown after this piece; once `stopped`, nothing more is to come. */
  push(piece: string): { text: string; stopped: boolean } {
    const text = this.#held + piece;
    const cut = this.#earliestStop(text);
    if (cut !== undefined) {
      this.#held = '';
      return { text: text.slice(0, cut), stopped: true };
    }
    const safe = text.length - this.#possibleStart(text);
    this.#held = text.slice(safe);
    return { text: text.slice(0, safe), stopped: false };
  }

  /** The answer ended otherwise: what was held back belongs to it. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  /** Where the stop text begins that is complete first: however the text came in pieces, it is the same one. */
  #earliestStop(text: string): number | undefined {
    let cut: number | undefined;
    let end = Infinity;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at < 0 || at + stop.length > end) continue;
      cut = at + stop.length < end ? at : Math.min(at, cut ?? at);
      end = at + stop.length;
    }
    return cut;
  }

  /** Length of the longest end of the text with which a stop text begins. */
  #possibleStart(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length -= 1) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
