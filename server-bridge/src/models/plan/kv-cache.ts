/**
 * Memory for what has been read: keys and values, windows, constant states.
 * llama-server sets all of it aside at its start, for every slot in full. vLLM and TensorRT-LLM have one pool of pages
 * that the running requests share: the least they start with holds one request of full length. Pure.
 */
import type { Architecture } from '../catalogue/entry.ts';
import { BATCHED_TOKENS, OTHER_REQUEST_TOKENS } from './assumptions.ts';
import { count, kib, trimmed } from './format.ts';
import type { Term } from './term.ts';

/** Bytes an element takes, and how the engine calls that. */
export interface CacheType {
  name: string;
  bytes: number;
}

export interface CacheNeed {
  terms: Term[];
  /** Bytes a token takes in the layers that see everything. */
  perToken: number;
  /** Bytes of one request of full length, windows and states included. */
  perFullRequest: number;
}

const elements = ({ kvHeads, headDim }: { kvHeads: number; headDim: number }) => 2 * kvHeads * headDim;

/** Shown as a person would reckon it: layers x 2 (K, V) x heads x size x bytes. */
function perTokenText(
  layers: { layers: number; kvHeads: number; headDim: number },
  what: string,
  type: CacheType,
): string {
  const bytes = layers.layers * elements(layers) * type.bytes;
  return `${layers.layers} ${what} x 2 (K, V) x ${layers.kvHeads} heads x ${layers.headDim} x ${trimmed(type.bytes)} byte${type.bytes === 1 ? '' : 's'} (${type.name}) = ${kib(bytes)} a token`;
}

/** Elements of a sequence's state: the recurrent matrix of each value head, and the convolution's last inputs. */
function stateElements(architecture: Architecture): number {
  const { linear } = architecture;
  if (linear === undefined) return 0;
  const width = 2 * linear.keyHeads * linear.headDim + linear.valueHeads * linear.headDim;
  return linear.layers * (linear.valueHeads * linear.headDim ** 2 + width * (linear.convolution - 1));
}

/** llama-server: `-c` is the sum over the slots of `-np`, and each slot gets its part, used or not. */
export function slotCache(
  architecture: Architecture,
  size: { context: number; slots: number; ubatch: number },
  type: CacheType,
): CacheNeed {
  const { full, sliding } = architecture;
  const perToken = full.layers * elements(full) * type.bytes;
  const cells = size.context * size.slots;
  const terms: Term[] = [
    {
      name: 'KV cache',
      arithmetic: `${perTokenText(full, 'layers', type)}; x ${count(size.context)} x ${size.slots} slots = ${count(cells)} tokens, all set aside at the start`,
      bytes: perToken * cells,
      source: 'llama.cpp tools/server/README.md (-c, -np, --kv-unified off)',
    },
  ];
  if (sliding !== undefined) {
    const window = roundUp(Math.min(size.context, sliding.window + size.ubatch), 256);
    const bytes = sliding.layers * elements(sliding) * type.bytes * window * size.slots;
    terms.push({
      name: 'KV windows',
      arithmetic: `${perTokenText(sliding, `layers that see ${sliding.window} tokens`, type)}; x (${sliding.window} + ${count(size.ubatch)} of -ub, to the next 256) = ${count(window)} x ${size.slots} slots`,
      bytes,
      source: 'llama.cpp src/llama-kv-cache-iswa.cpp',
    });
  }
  // Kept in 32 bits whatever -ctk says.
  if (architecture.linear !== undefined)
    terms.push(
      stateTerm(architecture, size.slots, { name: 'F32', bytes: 4 }, 'llama.cpp: recurrent state in F32'),
    );
  return { terms, perToken, perFullRequest: terms.reduce((sum, term) => sum + term.bytes, 0) / size.slots };
}

/** vLLM and TensorRT-LLM: one pool, filled by what the running requests hold. */
export function pagedCache(
  architecture: Architecture,
  size: { context: number; concurrency: number },
  type: CacheType,
): CacheNeed {
  const { full, sliding } = architecture;
  const others = size.concurrency - 1;
  const other = Math.min(size.context, OTHER_REQUEST_TOKENS);
  const perToken = full.layers * elements(full) * type.bytes;
  const tokens = size.context + others * other;
  const shown =
    others > 0
      ? `${count(size.context)} (one request of full length) + ${others} x ${count(other)} (assumed of each other) = ${count(tokens)} tokens`
      : `${count(size.context)} tokens (one request of full length)`;
  const terms: Term[] = [
    {
      name: 'KV cache',
      arithmetic: `${perTokenText(full, 'layers', type)}; x ${shown}, one shared pool`,
      bytes: perToken * tokens,
      source:
        'vLLM and TensorRT-LLM docs: a paged pool; the length of a request is a limit, not a reservation',
    },
  ];
  let perRequest = perToken * size.context;
  if (sliding !== undefined) {
    const held = (length: number) => Math.min(length, sliding.window + BATCHED_TOKENS);
    const perTokenHere = sliding.layers * elements(sliding) * type.bytes;
    const windows = held(size.context) + others * held(other);
    perRequest += perTokenHere * held(size.context);
    terms.push({
      name: 'KV windows',
      arithmetic: `${perTokenText(sliding, `layers that see ${sliding.window} tokens`, type)}; x ${count(windows)} tokens (the window, and ${count(BATCHED_TOKENS)} while a prompt is read)`,
      bytes: perTokenHere * windows,
      source: 'vLLM hybrid KV cache: sliding layers keep the window and the step',
    });
  }
  if (architecture.linear !== undefined) {
    const state = stateTerm(
      architecture,
      size.concurrency,
      { name: 'BF16', bytes: 2 },
      'vLLM mamba_utils.py gated_delta_net_state_shape; dtype auto is the model’s',
    );
    perRequest += state.bytes / size.concurrency;
    terms.push(state);
  }
  return { terms, perToken, perFullRequest: perRequest };
}

function stateTerm(architecture: Architecture, sequences: number, type: CacheType, source: string): Term {
  const each = stateElements(architecture) * type.bytes;
  return {
    name: 'states',
    arithmetic: `${architecture.linear?.layers ?? 0} linear-attention layers, ${count(stateElements(architecture))} elements x ${type.bytes} bytes (${type.name}) = ${trimmed(Number((each / 2 ** 20).toFixed(1)))} MiB a sequence, however long; x ${sequences}`,
    bytes: each * sequences,
    source,
  };
}

const roundUp = (value: number, step: number) => Math.ceil(value / step) * step;
