/**
 * What the starter knows: for each place in each snippet, the shortest preceding text that settles the next byte.
 *
 * One association stands for all places with the same context, and no context is the end of another one that
 * says something else; so at most one fires at a time, and where none fires the model ends its answer.
 */

export interface Association {
  /** Bytes right before `next`, in reading order. */
  readonly context: Buffer;
  readonly next: number;
}

export interface Snippet {
  readonly name: string;
  readonly bytes: Buffer;
  /** The byte from which on the snippet is to be continued; contexts may reach back before it. */
  readonly start: number;
}

export interface ContextLengths {
  readonly shortest: number;
  readonly longest: number;
}

/**
 * Beginnings that several snippets share are left unknown, and so are places too near the top of a snippet.
 *
 * @throws Error naming the snippet and the text, where even the longest context leaves the next byte open: two
 *   snippets have to be worded further apart then.
 */
export function associate(snippets: readonly Snippet[], lengths: ContextLengths): Association[] {
  const outcomes = tally(snippets, lengths);
  const associations = new Map<string, Association>();
  for (const snippet of snippets) {
    for (let at = snippet.start; at <= snippet.bytes.length; at += 1) {
      const context = settling(snippet, at, lengths, outcomes);
      if (context === undefined && !sharesItsBeginning(snippet, at, snippets)) refuse(snippet, at, lengths);
      const next = snippet.bytes[at];
      if (context !== undefined && next !== undefined) {
        associations.set(context.toString('latin1'), { context, next });
      }
    }
  }
  return [...associations.values()];
}

/** The end of a snippet counts as an outcome of its own. */
const END = -1;

function tally(
  snippets: readonly Snippet[],
  { shortest, longest }: ContextLengths,
): Map<string, Set<number>> {
  const outcomes = new Map<string, Set<number>>();
  for (const { bytes } of snippets) {
    for (let at = shortest; at <= bytes.length; at += 1) {
      for (let length = shortest; length <= Math.min(longest, at); length += 1) {
        const context = bytes.toString('latin1', at - length, at);
        const seen = outcomes.get(context) ?? new Set();
        outcomes.set(context, seen.add(bytes[at] ?? END));
      }
    }
  }
  return outcomes;
}

function settling(
  snippet: Snippet,
  at: number,
  { shortest, longest }: ContextLengths,
  outcomes: ReadonlyMap<string, ReadonlySet<number>>,
): Buffer | undefined {
  const least = at === snippet.start && at > 0 ? at : shortest;
  for (let length = least; length <= Math.min(longest, at); length += 1) {
    const context = snippet.bytes.subarray(at - length, at);
    if (outcomes.get(context.toString('latin1'))?.size === 1) return context;
  }
  return undefined;
}

/** Whether nothing at all before this place could tell it apart, as after `export function ` at the very top. */
function sharesItsBeginning(snippet: Snippet, at: number, snippets: readonly Snippet[]): boolean {
  const beginning = snippet.bytes.subarray(0, at);
  return snippets.some((other) => other !== snippet && other.bytes.subarray(0, at).equals(beginning));
}

function refuse(snippet: Snippet, at: number, { longest }: ContextLengths): void {
  if (at < longest) return;
  const text = snippet.bytes.toString('utf8', at - longest, at);
  throw new Error(`${snippet.name}: ${JSON.stringify(text)} is followed by different texts in the corpus`);
}
