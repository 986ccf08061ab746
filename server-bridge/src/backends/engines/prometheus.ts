/**
 * Reads Prometheus' text format as far as engines are judged by it: names, labels and values. Takes whatever it is
 * given: lines that aren't samples are skipped, and no input makes it slow or throw. Pure.
 *
 * Format: prometheus.io/docs/instrumenting/exposition_formats; OpenMetrics' exemplars after a `#` are left out.
 */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** May be NaN or infinite. */
  readonly value: number;
}

// Sticky patterns, each of which can match in one way only: the time is linear in the text.
const NAME = /[A-Z_a-z:][\w:]*/y;
const LABEL = /\s*([A-Z_a-z]\w*)\s*=\s*"((?:[^"\\\n]|\\.)*)"\s*,?/y;
const END_OF_LABELS = /\s*\}/y;
/** Go's ParseFloat, as the format has it, and an optional timestamp. */
const VALUE = /[\t ]+([+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?|inf|infinity)|nan)(?=[\t\r ]|$)/iy;

export function* prometheusSamples(text: string): Generator<Sample> {
  for (let start = 0; start < text.length;) {
    const next = text.indexOf('\n', start);
    const end = next < 0 ? text.length : next;
    const sample = parseLine(text.slice(start, end));
    if (sample !== undefined) yield sample;
    start = end + 1;
  }
}

/** A scrape's finite values by name, whatever their labels: engines label by model and by data-parallel rank. */
export class Scrape {
  readonly #values = new Map<string, number[]>();

  constructor(text: string) {
    for (const { name, value } of prometheusSamples(text)) {
      if (!Number.isFinite(value)) continue;
      const values = this.#values.get(name);
      if (values === undefined) this.#values.set(name, [value]);
      else values.push(value);
    }
  }

  sum(name: string): number | undefined {
    return this.#values.get(name)?.reduce((total, value) => total + value, 0);
  }

  greatest(name: string): number | undefined {
    return this.#values.get(name)?.reduce((most, value) => Math.max(most, value));
  }
}

function parseLine(line: string): Sample | undefined {
  const name = at(NAME, line, 0)?.[0];
  if (name === undefined) return undefined;
  const labels: Record<string, string> = {};
  let position = name.length;
  if (line[position] === '{') {
    position += 1;
    for (let label = at(LABEL, line, position); label !== undefined; label = at(LABEL, line, position)) {
      labels[label[1] as string] = unescaped(label[2] as string);
      position += label[0].length;
    }
    const end = at(END_OF_LABELS, line, position);
    if (end === undefined) return undefined;
    position += end[0].length;
  }
  const text = at(VALUE, line, position)?.[1];
  return text === undefined ? undefined : { name, labels, value: numberOf(text) };
}

function at(pattern: RegExp, text: string, position: number): RegExpExecArray | undefined {
  pattern.lastIndex = position;
  return pattern.exec(text) ?? undefined;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}

function numberOf(text: string): number {
  if (/inf/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return Number(text);
}
