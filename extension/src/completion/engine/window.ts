/** The text around the cursor that goes to the model: a window of so many characters each side, never half a character. */

/** Characters (UTF-16 units). About 2,000 tokens together, which any coding model's context holds. */
export const WINDOW = { prefix: 6_000, suffix: 2_000 };

export type Window = { prefix: string; suffix: string };

const isLow = (code: number) => code >= 0xdc_00 && code <= 0xdf_ff;

/**
 * Cuts `before` and `behind` to the window. A prefix that had to be cut starts at a line's start where there is one,
 * since half a line misleads a model. Line ends become `\n`, which is what models have been trained on.
 */
export function windowAround(before: string, behind: string): Window {
  return { prefix: lastOf(toLf(before), WINDOW.prefix), suffix: firstOf(toLf(behind), WINDOW.suffix) };
}

function toLf(text: string): string {
  return text.replaceAll('\r\n', '\n');
}

function lastOf(text: string, most: number): string {
  if (text.length <= most) return text;
  const cut = text.slice(text.length - most);
  const line = cut.indexOf('\n');
  if (line !== -1) return cut.slice(line + 1);
  return isLow(cut.charCodeAt(0)) ? cut.slice(1) : cut;
}

function firstOf(text: string, most: number): string {
  if (text.length <= most) return text;
  return text.slice(0, isLow(text.charCodeAt(most)) ? most - 1 : most);
}
