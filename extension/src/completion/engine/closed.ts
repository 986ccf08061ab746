/** How much of the cursor's line a completion says again, brackets and quotes that the editor has typed by itself above all. */

const OPENER: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
const QUOTES = '"\'`';

/** The first `rest` characters behind the cursor come again in the text, its first such character at `from`. */
export type Closed = { rest: number; from: number };

/** `rest`: the line behind the cursor, without blanks at its end. Undefined when nothing of it comes again. */
export function closedBy(text: string, rest: string): Closed | undefined {
  const only = /^[\])}"'`;,\s]*$/.test(rest);
  return (only ? undefined : wholeRest(text, rest)) ?? closers(text, rest, only);
}

/** The model wrote the whole rest of the line again, at a place where nothing of its own is open. */
function wholeRest(text: string, rest: string): Closed | undefined {
  if (!/[()[\]{};,]/.test(rest)) return undefined;
  for (let at = text.indexOf(rest); at !== -1; at = text.indexOf(rest, at + 1))
    if (isBalanced(text.slice(0, at))) return { rest: rest.length, from: at };
  return undefined;
}

/**
 * Goes through both at once: a closer of the text without an opener of its own is the next one behind the cursor.
 * `only`: the rest holds nothing but closers, quotes, `;` and `,`; then those two go with the closer before them.
 */
function closers(text: string, rest: string, only: boolean): Closed | undefined {
  let taken: Closed | undefined;
  let last = -1;
  const open: string[] = [];
  const take = (at: number, next: number) => {
    taken = { rest: next + 1, from: taken?.from ?? at };
    last = at;
  };
  for (let at = 0; at < text.length; at++) {
    const next = firstOf(rest, taken?.rest ?? 0);
    const wanted = rest.charAt(next);
    const character = text.charAt(at);
    if (wanted === '' || !'])}"\'`;,'.includes(wanted)) break;
    if (QUOTES.includes(wanted)) {
      at = endOfString(text, at, wanted);
      if (at === -1) break;
      take(at, next);
    } else if (QUOTES.includes(character)) at = behindString(text, at) - 1;
    else if ('([{'.includes(character)) open.push(character);
    else if (character in OPENER && open.length > 0) {
      if (open.pop() !== OPENER[character]) break;
    } else if (character in OPENER) {
      if (character !== wanted) break;
      take(at, next);
    } else if (character === wanted && open.length === 0) {
      const follows = only && last !== -1 && at === last + 1;
      if (follows || at === text.length - 1) take(at, next);
    }
  }
  return taken;
}

function firstOf(rest: string, from: number): number {
  let at = from;
  while (/\s/.test(rest.charAt(at))) at++;
  return at;
}

function isBalanced(text: string): boolean {
  const open: string[] = [];
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (QUOTES.includes(character)) at = behindString(text, at) - 1;
    else if ('([{'.includes(character)) open.push(character);
    else if (character in OPENER && open.pop() !== OPENER[character]) return false;
  }
  return open.length === 0;
}

/** Where a string that is open at `at` ends; -1 when the quotes from there on are pairs of the text's own. */
function endOfString(text: string, at: number, quote: string): number {
  const ends: number[] = [];
  for (let index = at; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === '\\') index++;
    else if (character === '\n' && quote !== '`') break;
    else if (character === quote) ends.push(index);
  }
  return ends.length % 2 === 1 ? (ends[0] ?? -1) : -1;
}

/** The place behind the string that begins at `at`; a quote without a partner is an apostrophe. */
function behindString(text: string, at: number): number {
  const quote = text.charAt(at);
  for (let index = at + 1; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === '\\') index++;
    else if (character === quote) return index + 1;
    else if (character === '\n' && quote !== '`') break;
  }
  return at + 1;
}
