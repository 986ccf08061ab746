/** What one backend's model needs on a card, term by term, with everything on the card. Pure. */
import type { BackendConfig } from '@hearth/protocol';
import { matchModel, type ModelMatch } from '../catalogue/match.ts';
import {
  BATCHED_TOKENS,
  LLAMA_ACTIVATION_WIDTH,
  LLAMA_CONTEXT_BYTES,
  LLAMA_POOLING_UBATCH,
  LLAMA_UBATCH,
  LLAMA_UBATCH_OFFLOADED,
  PAGED_OVERHEAD,
  Q8_0_BYTES,
} from './assumptions.ts';
import { count, gib } from './format.ts';
import { pagedCache, slotCache, type CacheNeed, type CacheType } from './kv-cache.ts';
import { total, type Term } from './term.ts';
import { loadedWeights, type Weights } from './weights.ts';

export type LocalEngine = Exclude<BackendConfig['engine'], 'openai'>;

/** What decides how much memory a model takes. */
export interface Setting {
  match: ModelMatch;
  engine: LocalEngine;
  context: number;
  concurrency: number;
}

export interface Need {
  weights: Weights;
  cache: CacheNeed;
  cacheType: CacheType;
  overhead: Term;
  terms: Term[];
  bytes: number;
  /** Tokens of a physical batch; llama.cpp's alone. */
  ubatch: number;
}

/** The model the bridge's own engine takes where none is named (engine-llama/src/models/catalogue.ts). */
const EMBEDDED_MODEL = 'qwen2.5-coder-1.5b';

/** Undefined for a server elsewhere, and for a model that the catalogue doesn't have. */
export function settingOf(backend: BackendConfig): Setting | undefined {
  if (backend.engine === 'openai') return undefined;
  const match = matchModel(backend.model ?? EMBEDDED_MODEL, backend.engine);
  if (match === undefined) return undefined;
  return { match, engine: backend.engine, context: backend.context, concurrency: backend.max_concurrency };
}

export const isPaged = (engine: LocalEngine) => engine === 'vllm' || engine === 'trtllm';

/** `offloaded`: some experts stay in RAM, which wants larger batches. */
export function need(setting: Setting, offloaded = false): Need {
  const { match, engine, context, concurrency } = setting;
  const { entry } = match;
  const weights = loadedWeights(entry, match.quantisation, engine === 'vllm');
  const cacheType = cacheTypeOf(setting);
  const ubatch = ubatchOf(setting, offloaded);
  const cache = isPaged(engine)
    ? pagedCache(entry.architecture, { context, concurrency }, cacheType)
    : slotCache(entry.architecture, { context, slots: concurrency, ubatch }, cacheType);
  const overhead = isPaged(engine) ? pagedOverhead(setting) : llamaOverhead(setting, ubatch);
  const terms = [weights, ...cache.terms, overhead];
  return { weights, cache, cacheType, overhead, terms, bytes: total(terms), ubatch };
}

function cacheTypeOf({ match, engine }: Setting): CacheType {
  // The bridge's own engine leaves the cache in 16 bits.
  if (engine === 'embedded') return { name: 'F16', bytes: 2 };
  if (engine === 'llamacpp') return { name: 'q8_0', bytes: Q8_0_BYTES };
  return match.entry.vllm?.kvCache === 'fp8' ? { name: 'fp8', bytes: 1 } : { name: 'BF16', bytes: 2 };
}

function ubatchOf({ match, context }: Setting, offloaded: boolean): number {
  if (match.entry.use !== 'generate') return Math.min(context, LLAMA_POOLING_UBATCH);
  return offloaded ? LLAMA_UBATCH_OFFLOADED : LLAMA_UBATCH;
}

function pagedOverhead({ match, engine }: Setting): Term {
  const measured = engine === 'vllm' ? match.entry.measuredInVllm?.overhead : undefined;
  if (measured !== undefined)
    return {
      name: 'overhead',
      arithmetic: `${gib(measured.bytes)} measured beside weights and cache`,
      bytes: measured.bytes,
      source: measured.source,
    };
  return {
    name: 'overhead',
    arithmetic: `${PAGED_OVERHEAD.parts} at ${count(BATCHED_TOKENS)} tokens a step`,
    bytes: PAGED_OVERHEAD.bytes,
    source: 'assumed; the engine’s start-up log says what it was',
  };
}

/** The largest buffer holds a batch's logits (ub x vocabulary x 4 bytes); pooled models have none. */
function llamaOverhead({ match }: Setting, ubatch: number): Term {
  const { hidden, vocabulary } = match.entry.architecture;
  const logits = match.entry.use === 'generate' ? vocabulary : 0;
  const compute = ubatch * (logits + LLAMA_ACTIVATION_WIDTH * hidden) * 4;
  return {
    name: 'overhead',
    arithmetic: `context ${gib(LLAMA_CONTEXT_BYTES)} + compute buffer ${count(ubatch)} x (${count(logits)} + ${LLAMA_ACTIVATION_WIDTH} x ${count(hidden)}) x 4 bytes`,
    bytes: LLAMA_CONTEXT_BYTES + compute,
    source: 'assumed; llama-server prints its compute buffer size at the start',
  };
}
