/** What the catalogue knows of a model: the numbers its memory follows from, each with where it is from. Pure. */

/** Layers that keep keys and values of the whole context. */
interface FullAttention {
  layers: number;
  kvHeads: number;
  /** Elements of a head's key, and as many of its value. */
  headDim: number;
}

/** Layers that keep keys and values of the last `window` tokens only. */
interface SlidingAttention extends FullAttention {
  window: number;
}

/** Gated DeltaNet layers: a state of constant size for each sequence, however long it is. */
interface LinearAttention {
  layers: number;
  keyHeads: number;
  valueHeads: number;
  /** Elements of a head's key; of its value as many. */
  headDim: number;
  /** Width of the convolution before the state; it keeps one token less. */
  convolution: number;
}

export interface Architecture {
  full: FullAttention;
  sliding?: SlidingAttention;
  linear?: LinearAttention;
  hidden: number;
  vocabulary: number;
  /** Tokens: the longest context without stretching (RoPE scaling). */
  maxContext: number;
}

/** A size somebody published, in bytes, and where. */
export interface Published {
  bytes: number;
  source: string;
}

export interface CatalogueEntry {
  id: string;
  title: string;
  use: 'generate' | 'embedding' | 'rerank';
  /** Matches the model's name as `match.ts` normalises it: lower case, words joined by "-". */
  pattern: RegExp;
  architecture: Architecture;
  /** All parameters that are loaded: counted from the shapes in the model's config.json. */
  parameters: number;
  /** Used for each token; absent for a dense model. */
  activeParameters?: number;
  /** Routed experts: what `--n-cpu-moe` keeps in RAM. Every layer has as many. */
  experts?: { layers: number; perLayer: number; parameters: number };
  /** Parameters that FP8 and 4-bit checkpoints keep in BF16: embeddings, output head, routers. */
  keptIn16Bit: number;
  /** The one format this model is published in, whatever a file's name says. */
  onlyQuantisation?: string;
  /** By quantisation. */
  published: Record<string, Published>;
  /** What vLLM was seen to take, where it differs from the checkpoint or from our allowance. */
  measuredInVllm?: { weights?: Published; overhead?: Published };
  vllm?: { toolParser?: string; kvCache: 'fp8' | 'auto'; overrides?: string };
  /** A small model with the same vocabulary, for speculative decoding. */
  draft?: string | undefined;
  /** Where the architecture is from. */
  source: string;
}
