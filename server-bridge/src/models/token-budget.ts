/**
 * How many bytes of text a backend's token stands for, learnt from what its replies say they used, so that a prompt can
 * be cut to its context without its tokenizer. Errs on the small side: a prompt that is too long is refused, one that
 * is a little shorter than it could be costs nothing. Pure.
 */

/** Code averages 3–4 bytes a token in the coder models' vocabularies; 3 leaves room for dense lines. */
const BYTES_PER_TOKEN = 3;

/** Code as editors send it, in three languages, for a server's tokenizer to count. */
export const TOKEN_SAMPLE = `export class Ring<Item> {
  readonly #items: (Item | undefined)[];
  #next = 0;

  constructor(readonly size: number) {
    this.#items = Array.from({ length: size }, () => undefined);
  }

  push(item: Item): Item | undefined {
    const [before] = this.#items.splice(this.#next, 1, item);
    this.#next = (this.#next + 1) % this.size;
    return before;
  }
}

def load_rows(path: str, limit: int = 4096) -> list[dict[str, float]]:
    with open(path, encoding="utf-8") as file:
        return [parse_row(line) for _, line in zip(range(limit), file)]

static int compare(const void *left, const void *right) {
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}
`;

/** Of what a tokenizer has counted in the sample: other code is denser. */
export const SAMPLE_MARGIN = 0.9;

/** What is remembered: enough to know the dense texts of a code base, few enough to forget another one's. */
const REMEMBERED = 64;
/** Until so many have been seen, the start value holds unless they are below it. */
const ENOUGH = 8;
/** This share of the texts seen was denser than what is answered. */
const DENSER = 0.05;
/** For what hasn't been seen. */
const MARGIN = 0.95;

/** In shorter prompts a chat template's own tokens weigh as much as the text. */
const SHORTEST_BYTES = 256;
/** Beyond these it isn't text that was counted, or not all of it: a byte-level vocabulary has 1, long identifiers 8. */
const PLAUSIBLE = { least: 0.5, most: 12 };

export class TokenRate {
  readonly #start: number;
  /** Bytes a token of the latest prompts, the oldest first. */
  readonly #seen: number[] = [];

  /** `start`: what is assumed at first, such as an engine's own measurement. */
  constructor(start = BYTES_PER_TOKEN) {
    this.#start = start;
  }

  /**
   * One prompt: its UTF-8 bytes as they were sent, and its tokens as the backend counted them (`usage.prompt_tokens`).
   * What can't be true is passed over.
   */
  learn(bytes: number, tokens: number): void {
    const rate = bytes / tokens;
    if (!(bytes >= SHORTEST_BYTES && rate >= PLAUSIBLE.least && rate <= PLAUSIBLE.most)) return;
    this.#seen.push(rate);
    if (this.#seen.length > REMEMBERED) this.#seen.shift();
  }

  get bytesPerToken(): number {
    const dense = this.#seen.toSorted((a, b) => a - b)[Math.floor(this.#seen.length * DENSER)];
    if (dense === undefined) return this.#start;
    const learnt = dense * MARGIN;
    return this.#seen.length < ENOUGH ? Math.min(this.#start, learnt) : learnt;
  }
}
