/** What a request asks of the scripted upstream, carried in the prompt: the one field that every gateway passes on. */

export interface Script {
  tokens: number;
  /** Microseconds between two tokens; 0: as fast as they go out, each in a write of its own. */
  gapUs: number;
  /** Microseconds before the first token. */
  firstUs: number;
  /** After so many tokens the upstream drops the connection; 0: never. */
  cutAfter: number;
}

const MARK = 'hearth-bench:';
const MARK_BYTES = Buffer.from(MARK);
/** A number in a script has ten digits at the most. */
const LONGEST = 5 * 11;

/** Code, as long as a small completion prompt has it. */
const FILLING = 'export const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);\n'.repeat(24);

/** The whole HTTP body for a stream of that script. `id` names it in the upstream's record. */
export function requestBody(id: number, { tokens, gapUs, firstUs, cutAfter }: Script): string {
  const script = `${MARK}${[id, tokens, gapUs, firstUs, cutAfter].join(':')};`;
  return JSON.stringify({
    model: 'coder',
    stream: true,
    max_tokens: tokens,
    messages: [{ role: 'user', content: `${script}\n${FILLING}` }],
  });
}

/** Reads it back without parsing the JSON; undefined for a request that isn't the benchmark's. */
export function findScript(body: Buffer): (Script & { id: number }) | undefined {
  const at = body.indexOf(MARK_BYTES);
  if (at < 0) return undefined;
  const from = at + MARK.length;
  const text = body.toString('latin1', from, from + LONGEST);
  const [id, tokens, gapUs, firstUs, cutAfter] = text.slice(0, text.indexOf(';')).split(':').map(Number);
  if (cutAfter === undefined || Number.isNaN(cutAfter)) throw new Error(`a broken script: ${text}`);
  return { id: id ?? 0, tokens: tokens ?? 0, gapUs: gapUs ?? 0, firstUs: firstUs ?? 0, cutAfter };
}
