/**
 * The request with which a backend proves itself after each (re)start, before it gets anybody's, and the judge of its
 * answer. A process can be up, healthy and quick and still talk nonsense: weights half restored after a sleep, a
 * broken kernel, the wrong model (vllm#29341, vllm#48310). Pure.
 */
import type { BackendConfig } from '@hearth/protocol';
import { z } from 'zod';
import { FIM_SAMPLE } from '../check/sample.ts';
import { renderFim } from '../models/fim.ts';
import { proseIn } from '../models/prose.ts';

export type CanaryKind = 'fim' | 'text' | 'chat' | 'embedding' | 'rerank';

export interface CanaryRequest {
  readonly kind: CanaryKind;
  /** After the server's url, for POST. */
  readonly path: string;
  /** Whole, but for `stream`, which is up to whoever asks. Only fields that every engine knows: trtllm refuses others. */
  readonly body: Readonly<Record<string, unknown>>;
}

export type Verdict =
  | { kind: 'sound'; fingerprint: string }
  /** Not fit for anybody's request. */
  | { kind: 'unsound'; reason: string }
  /** Sound, but not what this backend said before: asked once more, the same again is its new reference. */
  | { kind: 'differs'; fingerprint: string; reason: string };

/** Greedy and seeded: as alike from start to start as an engine can make it. */
const GENERATION = { max_tokens: 16, temperature: 0, seed: 1, user: 'hearth-canary' };

/** An answer that only looks at the order of the list would put the first one first. */
const RERANK = {
  query: 'What is the capital of France?',
  documents: [
    'Bread is baked from flour, water and salt.',
    'Paris is the capital of France.',
    'Snow is cold.',
  ],
};
const RIGHT_DOCUMENT = 1;

/** What a backend is asked first: the hardest to get right of what it serves. */
export function canaryRequest(
  { serves, fim }: Pick<BackendConfig, 'serves' | 'fim'>,
  { model }: { model: string },
): CanaryRequest {
  const rendered = serves.includes('completion') ? renderFim(fim, FIM_SAMPLE) : undefined;
  if (rendered !== undefined)
    return { kind: 'fim', path: '/v1/completions', body: { ...GENERATION, ...rendered, model } };
  // Before plain text: a server that isn't told a FIM format often has no endpoint for completions at all.
  if (serves.includes('chat')) {
    const messages = [{ role: 'user', content: 'Answer with the word ready.' }];
    return { kind: 'chat', path: '/v1/chat/completions', body: { ...GENERATION, messages, model } };
  }
  if (serves.includes('completion')) {
    const prompt = 'The days of the week are Monday, Tuesday,';
    return { kind: 'text', path: '/v1/completions', body: { ...GENERATION, prompt, model } };
  }
  if (serves.includes('embedding')) {
    const body = { input: 'hello', encoding_format: 'float', user: GENERATION.user, model };
    return { kind: 'embedding', path: '/v1/embeddings', body };
  }
  return { kind: 'rerank', path: '/v1/rerank', body: { ...RERANK, model } };
}

/**
 * `answer` is the whole reply as parsed JSON (a stream's as `Collector` makes it); `reference` the fingerprint of this
 * backend's last sound answer to the same request, undefined if there is none.
 */
export function judge(kind: CanaryKind, answer: unknown, reference: string | undefined): Verdict {
  const looked = examine(kind, answer);
  if (looked.kind === 'unsound') return looked;
  const { fingerprint } = looked;
  if (reference === undefined || isAlike(kind, fingerprint, reference)) return { kind: 'sound', fingerprint };
  return {
    kind: 'differs',
    fingerprint,
    reason: `it answers otherwise than before: ${shown(fingerprint)}, not ${shown(reference)}`,
  };
}

type Looked = Exclude<Verdict, { kind: 'differs' }>;

function examine(kind: CanaryKind, answer: unknown): Looked {
  if (kind === 'embedding') return examineEmbedding(answer);
  if (kind === 'rerank') return examineRanking(answer);
  return examineText(kind, answer);
}

const generated = z.object({
  choices: z
    .array(
      z.object({
        text: z.string().nullish(),
        message: z
          .object({
            content: z.string().nullish(),
            reasoning_content: z.string().nullish(),
            reasoning: z.string().nullish(),
          })
          .nullish(),
      }),
    )
    .min(1),
});

function examineText(kind: 'fim' | 'text' | 'chat', answer: unknown): Looked {
  const choice = generated.safeParse(answer).data?.choices[0];
  if (choice === undefined) return unsound('its reply is not of the API');
  const { content, reasoning_content: thought, reasoning } = choice.message ?? {};
  // A model that thinks has said nothing else within so few tokens.
  const said = [thought ?? reasoning ?? '', choice.text ?? content ?? ''].filter(
    (text) => text.trim() !== '',
  );
  const text = said.join('\n');
  const wrong = garbageIn(text) ?? (kind === 'fim' ? noCodeIn(text) : undefined);
  return wrong === undefined ? { kind: 'sound', fingerprint: text } : unsound(`${wrong}: ${shown(text)}`);
}

/** Whatever the families write for their control tokens, as text. */
const SPECIAL_TOKEN = /<\|[\w/ -]{1,40}\|>|<｜[^｜\n]{1,40}｜>|<\/?s>|<(?:unk|pad|eos|bos)>|\[(?:PAD|UNK)\]/g;
/** Half a character at the end is what a limit in tokens does to a byte-level vocabulary; more isn't. */
const BROKEN_BYTES = /\uFFFD{2}(?!\uFFFD?$)/;
/** As long as 16 times one token: "!!!!!!!!!!!!!!!!" is token 0 of most vocabularies, where every logit is NaN. */
const ONE_CHARACTER = /^(\S)\1{7,}$/;

/** What no model says to the canary, however small; undefined for everything that one may say. */
function garbageIn(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return 'it says nothing';
  if (trimmed.replace(SPECIAL_TOKEN, '').trim() === '') return 'it says nothing but special tokens';
  if (BROKEN_BYTES.test(trimmed)) return 'its text is broken bytes';
  if (ONE_CHARACTER.test(trimmed)) return 'it repeats one character';
  return undefined;
}

/** What no completion of code has. In a chat it would only be the server's neglect, and no sign of a broken model. */
function noCodeIn(text: string): string | undefined {
  return proseIn(text) ?? (text.search(SPECIAL_TOKEN) < 0 ? undefined : 'special tokens leak into it');
}

const embedded = z.object({ data: z.array(z.object({ embedding: z.array(z.number()).min(1) })).min(1) });

/** How much of a vector is kept to compare; and how close the rest of the machine's rounding leaves it. */
const KEPT = 64;
const ALIKE = 0.98;

function examineEmbedding(answer: unknown): Looked {
  // JSON has no NaN: engines write null. zod's number is neither.
  const vector = embedded.safeParse(answer).data?.data[0]?.embedding;
  if (vector === undefined) return unsound('its reply has no vector of numbers');
  if (vector.every((value) => value === 0)) return unsound('its vector is all zeros');
  const start = vector.slice(0, KEPT);
  const largest = Math.max(...start.map(Math.abs)) || 1;
  const kept = start.map((value) => Number((value / largest).toPrecision(4)));
  return { kind: 'sound', fingerprint: JSON.stringify([vector.length, ...kept]) };
}

const score = z.object({
  index: z.int().nonnegative(),
  relevance_score: z.number().optional(),
  score: z.number().optional(),
});
/** Jina's, Cohere's, vLLM's and llama-server's list is `results`; Voyage's and SiliconFlow's `data`. */
const ranking = z.object({ results: z.array(score).optional(), data: z.array(score).optional() });

function examineRanking(answer: unknown): Looked {
  const { results, data } = ranking.safeParse(answer).data ?? {};
  const scores = new Map((results ?? data ?? []).map((one) => [one.index, one.relevance_score ?? one.score]));
  const right = scores.get(RIGHT_DOCUMENT);
  if (right === undefined) return unsound('its reply has no scores');
  for (const [index, other] of scores) {
    if (index !== RIGHT_DOCUMENT && (other === undefined || !(other < right)))
      return unsound(`it does not find ${JSON.stringify(RERANK.documents[RIGHT_DOCUMENT])} the best answer`);
  }
  const order = [...scores].toSorted(([, a = 0], [, b = 0]) => b - a).map(([index]) => index);
  return { kind: 'sound', fingerprint: order.join(' ') };
}

function isAlike(kind: CanaryKind, fingerprint: string, reference: string): boolean {
  if (kind !== 'embedding') return fingerprint === reference;
  const [size, ...vector] = JSON.parse(fingerprint) as [number, ...number[]];
  const [sizeBefore, ...before] = numbersOf(reference);
  return size === sizeBefore && cosine(vector, before) >= ALIKE;
}

/** The reference comes from outside, possibly from another release of ours. */
function numbersOf(reference: string): number[] {
  try {
    return z.array(z.number()).parse(JSON.parse(reference));
  } catch {
    return [];
  }
}

function cosine(a: readonly number[], b: readonly number[]): number {
  const dot = a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  const lengths = [Math.hypot(...a), Math.hypot(...b)] as const;
  // The part that is kept may be all zeros in both.
  if (lengths[0] === 0 && lengths[1] === 0) return 1;
  return dot / (lengths[0] * lengths[1] || 1);
}

function unsound(reason: string): Looked {
  return { kind: 'unsound', reason };
}

function shown(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
