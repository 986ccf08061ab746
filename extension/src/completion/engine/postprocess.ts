/** What is done to a model's text before it is shown: nothing that stands in the document already is said twice. */
import { closedBy } from './closed.ts';

/** `text` has `\n` line ends; it takes the place of `replaceAfter` characters behind the cursor, all in its line. */
export type Insertion = { text: string; replaceAfter: number };

/** What to insert, or undefined when there is nothing worth showing. `suffix`: the document's text behind the cursor. */
export function postprocess(completion: string, suffix: string): Insertion | undefined {
  const whole = completion.replaceAll('\r\n', '\n');
  const rest = (suffix.split('\n', 1)[0] ?? '').trimEnd();
  const insertion = rest === '' ? atLineEnd(whole, suffix) : withinLine(whole, rest, suffix);
  return insertion.text.trim() === '' ? undefined : insertion;
}

function atLineEnd(text: string, suffix: string): Insertion {
  return { text: cutAtNextLine(text, suffix, 0).trimEnd(), replaceAfter: 0 };
}

/** Blanks at the end stay, `await ` before a call, unless what they would go before is in the text itself. */
function withinLine(whole: string, rest: string, suffix: string): Insertion {
  const trimmed = whole.trimEnd();
  const closed = closedBy(trimmed, rest);
  if (closed === undefined) return { text: cutAtNextLine(whole, suffix, 0), replaceAfter: 0 };
  const repeated = rest.slice(0, closed.rest);
  const text = cutAtNextLine(trimmed, suffix, closed.from + repeated.length).trimEnd();
  // At the text's end it is left away; in its midst, it takes the place of what stands there.
  return withoutBlanks(text.slice(closed.from)) === withoutBlanks(repeated)
    ? { text: text.slice(0, closed.from), replaceAfter: 0 }
    : { text, replaceAfter: closed.rest };
}

function withoutBlanks(text: string): string {
  return text.replaceAll(/\s/g, '');
}

/** Ends the text before a line, begun behind `from`, that is the document's next line, indentation and all. */
function cutAtNextLine(text: string, suffix: string, from: number): string {
  const next = suffix
    .split('\n')
    .slice(1)
    .find((line) => line.trim() !== '');
  if (next === undefined) return text;
  for (let at = text.indexOf('\n', from); at !== -1; at = text.indexOf('\n', at + 1)) {
    const line = text.slice(at + 1).split('\n', 1)[0] ?? '';
    if (line.trimEnd() === next.trimEnd()) return text.slice(0, at);
  }
  return text;
}
