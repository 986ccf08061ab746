/** What is done to a model's text before it is shown: nothing that stands in the document already is said twice. */

const PARTNER: Record<string, string> = { ')': '(', ']': '[', '}': '{' };

/**
 * The text to insert, with `\n` line ends; empty when there is nothing worth showing. `suffix` is the document's
 * text behind the cursor.
 */
export function postprocess(completion: string, suffix: string): string {
  const text = dropRestOfLine(cutAtNextLine(completion.replaceAll('\r\n', '\n'), suffix), suffix);
  return text.trim() === '' ? '' : text.replace(/\s+$/, '');
}

/** Ends the text before a line that is, indentation and all, the next line of the document. */
function cutAtNextLine(text: string, suffix: string): string {
  const next = suffix
    .split('\n')
    .slice(1)
    .find((line) => line.trim() !== '');
  if (next === undefined) return text;
  const lines = text.split('\n');
  const at = lines.findIndex((line, index) => index > 0 && line.trimEnd() === next.trimEnd());
  return at === -1 ? text : lines.slice(0, at).join('\n');
}

/** Takes off the end of the text what the rest of the cursor's line begins with: `)` typed by the editor, a `;`. */
function dropRestOfLine(text: string, suffix: string): string {
  const rest = suffix.split('\n', 1)[0] ?? '';
  for (let length = Math.min(rest.length, text.length); length > 0; length--) {
    if (!text.endsWith(rest.slice(0, length))) continue;
    const kept = text.slice(0, text.length - length);
    if (isBalancedBy(kept, rest.slice(0, length))) return text;
    return kept;
  }
  return text;
}

/** Whether a closer in `tail` belongs to an opener in `kept`: then it is the completion's own and has to stay. */
function isBalancedBy(kept: string, tail: string): boolean {
  const open: string[] = [];
  for (const character of kept) {
    if ('([{'.includes(character)) open.push(character);
    else if (open.at(-1) === PARTNER[character]) open.pop();
  }
  for (const quote of '"\'`') if (tail.includes(quote) && kept.split(quote).length % 2 === 0) return true;
  return Array.from(tail).some(
    (character) => PARTNER[character] !== undefined && open.at(-1) === PARTNER[character],
  );
}
