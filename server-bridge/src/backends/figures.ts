/** What a backend has lately done, in figures: first-token times and tokens a second. Times come as arguments. */

/** First-token times kept: enough for a 95th percentile that means something, and a morning's work of one team. */
const KEPT = 256;
/** The last so many milliseconds weigh most in tokens a second. */
const WINDOW_MS = 10_000;

export class Figures {
  readonly #firstTokens: number[] = [];
  #next = 0;
  #tokens = 0;
  #weighed = 0;
  #at = 0;

  /** A request waited so many milliseconds for its first token. */
  firstToken(ms: number): void {
    this.#firstTokens[this.#next] = ms;
    this.#next = (this.#next + 1) % KEPT;
  }

  /** So many tokens came at that time (milliseconds, monotonic). */
  tokens(count: number, now: number): void {
    this.#tokens += count;
    this.#weighed = this.#faded(now) + count;
    this.#at = now;
  }

  /** Tokens since the start. */
  get total(): number {
    return this.#tokens;
  }

  tokensPerSecond(now: number): number {
    return (this.#faded(now) / WINDOW_MS) * 1_000;
  }

  /** Milliseconds; null before the first. */
  firstTokenMs(): { p50: number; p95: number } | null {
    if (this.#firstTokens.length === 0) return null;
    const sorted = this.#firstTokens.toSorted((a, b) => a - b);
    const at = (share: number) => Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0);
    return { p50: at(0.5), p95: at(0.95) };
  }

  /** What has been counted, each token the less the longer ago. */
  #faded(now: number): number {
    return this.#weighed * Math.exp(-(now - this.#at) / WINDOW_MS);
  }
}
