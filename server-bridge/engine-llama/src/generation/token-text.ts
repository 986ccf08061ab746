/** Tokens to text, a character at a time: tokens may split one, and half a character is never given out. Pure. */

/** U+FFFD stands at the end of text whose last character isn't whole yet. */
const INCOMPLETE = '\uFFFD';
/** UTF-8's longest character. What stays broken beyond it is broken for good and given out as U+FFFD. */
const LONGEST_CHARACTER = 4;

export class TokenText<T> {
  readonly #decode: (tokens: readonly T[]) => string;
  #pending: T[] = [];

  constructor(decode: (tokens: readonly T[]) => string) {
    this.#decode = decode;
  }

  /** The text that this token completes; often its own, sometimes nothing yet. */
  push(token: T): string {
    this.#pending.push(token);
    const text = this.#decode(this.#pending);
    if (text.endsWith(INCOMPLETE) && this.#pending.length < LONGEST_CHARACTER) return '';
    this.#pending = [];
    return text;
  }
}
