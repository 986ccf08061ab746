/** Stream chunks of OpenAI's API, as far as the bridge looks into them, and how many make one whole reply. Pure. */

export interface Choice {
  index?: number;
  text?: string;
  delta?: Delta;
  finish_reason?: string | null;
  [field: string]: unknown;
}

interface Delta {
  content?: string | null;
  reasoning_content?: string | null;
  reasoning?: string | null;
  tool_calls?: ToolCallDelta[] | null;
  [field: string]: unknown;
}

interface ToolCallDelta {
  index?: number;
  function?: { name?: string; arguments?: string };
  [field: string]: unknown;
}

interface Usage {
  prompt_tokens?: number;
  completion_tokens?: number;
  [field: string]: unknown;
}

export interface Chunk {
  choices?: Choice[] | null;
  usage?: Usage | null;
  error?: string | { message?: string } | null;
  [field: string]: unknown;
}

/** Whether the model has said something in this chunk. */
export function carriesToken(chunk: Chunk): boolean {
  return (chunk.choices ?? []).some(
    ({ text, delta }) =>
      Boolean(text) ||
      Boolean(delta?.content) ||
      Boolean(delta?.reasoning_content) ||
      Boolean(delta?.reasoning) ||
      (delta?.tool_calls?.length ?? 0) > 0,
  );
}

/** Indexes of the choices that end in this chunk. */
export function finishedIn(chunk: Chunk): number[] {
  return (chunk.choices ?? [])
    .filter((choice) => choice.finish_reason != null)
    .map((choice) => choice.index ?? 0);
}

/** Collects a stream's chunks into the reply that a client gets which didn't ask for a stream. */
export class Collector {
  readonly #object: 'text_completion' | 'chat.completion';
  readonly #choices = new Map<number, Choice>();
  #envelope: Record<string, unknown> = {};

  constructor(object: 'text_completion' | 'chat.completion') {
    this.#object = object;
  }

  add({ choices, ...envelope }: Chunk): void {
    this.#envelope = { ...this.#envelope, ...withoutNulls(envelope) };
    for (const choice of choices ?? []) {
      const index = choice.index ?? 0;
      this.#choices.set(index, merge(this.#choices.get(index) ?? { index }, choice) as Choice);
    }
  }

  reply(): Record<string, unknown> {
    const choices = [...this.#choices.values()]
      .toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0))
      .map((choice) => (this.#object === 'chat.completion' ? asMessage(choice) : choice));
    return { ...this.#envelope, object: this.#object, choices };
  }
}

function asMessage({ delta, ...choice }: Choice): Record<string, unknown> {
  const { tool_calls: calls, ...message } = delta ?? {};
  const toolCalls = calls?.map(({ index: _, ...call }) => call);
  return {
    ...choice,
    message: { role: 'assistant', content: null, ...message, ...(toolCalls && { tool_calls: toolCalls }) },
  };
}

/** These are sent whole once; everything else that is a string grows. */
const WHOLE = new Set(['role', 'id', 'type', 'finish_reason', 'stop_reason']);

/** Adds a delta to what has been collected: strings grow, lists join (by their items' `index` where they have one). */
function merge(before: unknown, delta: unknown, field = ''): unknown {
  if (delta === null || delta === undefined) return before ?? null;
  if (typeof before === 'string' && typeof delta === 'string')
    return WHOLE.has(field) ? delta : before + delta;
  if (Array.isArray(before) && Array.isArray(delta)) return mergeLists(before, delta);
  if (isRecord(before) && isRecord(delta)) {
    const merged: Record<string, unknown> = { ...before };
    for (const [key, value] of Object.entries(delta)) merged[key] = merge(merged[key], value, key);
    return merged;
  }
  return delta;
}

function mergeLists(before: unknown[], delta: unknown[]): unknown[] {
  const merged = [...before];
  for (const item of delta) {
    const index = isRecord(item) && typeof item.index === 'number' ? item.index : undefined;
    const at = index === undefined ? -1 : merged.findIndex((one) => isRecord(one) && one.index === index);
    if (at < 0) merged.push(item);
    else merged[at] = merge(merged[at], item);
  }
  return merged;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutNulls(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
