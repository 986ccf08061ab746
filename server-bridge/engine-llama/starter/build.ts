/** Builds the starter model: from the corpus to the bytes of a GGUF file. Pure, and the same on every machine. */
import { CODE_SIZE, byteStandingFor, codeOf } from './byte-code.ts';
import { type EncodedTensor, writeGguf } from './gguf-writer.ts';
import {
  Layer,
  OUTPUT_VALUE,
  SPLICE_NEURONS,
  fetchPrefixEnd,
  lookBack,
  remember,
  splicePrefixEnd,
} from './layers.ts';
import {
  CONSTANT,
  CONSTANT_VALUE,
  HEADS,
  KV_HEADS,
  NORM,
  ONE,
  OUTPUT,
  SUFFIX_FLAG,
  WIDTH,
  WINDOW,
  middleFlag,
  window,
} from './layout.ts';
import { type Snippet, associate } from './memory.ts';
import { ROPE_BASE } from './rope-offset.ts';
import { Matrix, asF16, asF32, asQ8 } from './tensor.ts';
import { BYTES, TOKENS, TOKEN_TYPES, controlId } from './vocabulary.ts';

/** Shorter contexts would fire on anybody's text. */
const SHORTEST_CONTEXT = 6;
/** As far as the constants of rope-offset.ts were checked. */
const CONTEXT_LENGTH = 16_384;

const CHAT_TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

export interface StarterOptions {
  /** As the file calls itself. */
  readonly name: string;
  /** All layers are of one size in qwen2: for the corpus, two for memory are near the size that splicing takes anyway. */
  readonly memoryLayers: number;
}

const STARTER: StarterOptions = { name: 'Hearth starter', memoryLayers: 2 };

export function buildStarter(corpus: readonly Snippet[], options: StarterOptions = STARTER): Buffer {
  const associations = associate(corpus, { shortest: SHORTEST_CONTEXT, longest: WINDOW });
  const perLayer = inBlocks(Math.max(SPLICE_NEURONS, associations.length / options.memoryLayers));
  const layers = Array.from({ length: 2 + options.memoryLayers }, () => new Layer(perLayer));
  for (const [i, layer] of layers.entries()) {
    if (i === 0) lookBack(layer);
    if (i === 1) fetchPrefixEnd(layer);
    if (i === 1) splicePrefixEnd(layer);
    if (i >= 2) remember(layer, associations.slice((i - 2) * perLayer, (i - 1) * perLayer));
  }
  const known = new Set(corpus.flatMap((snippet) => [...snippet.bytes]));
  return writeGguf(metadata(options.name, layers.length, perLayer), [
    asQ8('token_embd.weight', embedding()),
    asF32('output_norm.weight', ones()),
    asQ8('output.weight', unembedding(known)),
    ...layers.flatMap(tensorsOf),
  ]);
}

function metadata(name: string, layers: number, neurons: number): Parameters<typeof writeGguf>[0] {
  return {
    'general.architecture': { type: 'string', value: 'qwen2' },
    'general.name': { type: 'string', value: name },
    'qwen2.block_count': { type: 'u32', value: layers },
    'qwen2.context_length': { type: 'u32', value: CONTEXT_LENGTH },
    'qwen2.embedding_length': { type: 'u32', value: WIDTH },
    'qwen2.feed_forward_length': { type: 'u32', value: neurons },
    'qwen2.attention.head_count': { type: 'u32', value: HEADS },
    'qwen2.attention.head_count_kv': { type: 'u32', value: KV_HEADS },
    'qwen2.attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-6 },
    'qwen2.rope.freq_base': { type: 'f32', value: ROPE_BASE },
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
    'tokenizer.ggml.pre': { type: 'string', value: 'qwen2' },
    'tokenizer.ggml.tokens': { type: 'strings', value: TOKENS },
    'tokenizer.ggml.token_type': { type: 'i32s', value: TOKEN_TYPES },
    'tokenizer.ggml.merges': { type: 'strings', value: [] },
    'tokenizer.ggml.bos_token_id': { type: 'u32', value: controlId('<|endoftext|>') },
    'tokenizer.ggml.eos_token_id': { type: 'u32', value: controlId('<|im_end|>') },
    'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
    'tokenizer.chat_template': { type: 'string', value: CHAT_TEMPLATE },
  };
}

function embedding(): Matrix {
  const matrix = new Matrix(TOKENS.length, WIDTH);
  const spell = (token: number, byte: number): void => {
    for (const [bit, sign] of codeOf(byte).entries()) matrix.set(token, window(0) + bit, sign * ONE);
  };
  for (let token = 0; token < TOKENS.length; token += 1) matrix.set(token, CONSTANT, CONSTANT_VALUE);
  for (let byte = 0; byte < BYTES; byte += 1) spell(byte, byte);
  spell(controlId('<|im_start|>'), byteStandingFor('<|im_start|>'));
  matrix.set(controlId('<|fim_middle|>'), middleFlag(0), ONE);
  matrix.set(controlId('<|fim_suffix|>'), SUFFIX_FLAG, ONE);
  return matrix;
}

/** Logits: the recalled byte's, the end's (when nothing is recalled), and that of what must never be said. */
const RECALLED = 64;
const END = 20;
const NEVER = -1000;

function unembedding(known: ReadonlySet<number>): Matrix {
  const matrix = new Matrix(TOKENS.length, WIDTH);
  for (let token = 0; token < TOKENS.length; token += 1) {
    if (known.has(token)) {
      const weight = (RECALLED / CODE_SIZE / OUTPUT_VALUE) * NORM;
      for (const [bit, sign] of codeOf(token).entries()) matrix.set(token, OUTPUT + bit, sign * weight);
    } else {
      const logit = token === controlId('<|im_end|>') ? END : NEVER;
      matrix.set(token, CONSTANT, (logit * NORM) / CONSTANT_VALUE);
    }
  }
  return matrix;
}

function tensorsOf(layer: Layer, index: number): EncodedTensor[] {
  const name = (part: string): string => `blk.${index}.${part}`;
  return [
    asF32(name('attn_norm.weight'), ones()),
    asF16(name('attn_q.weight'), layer.query),
    asF32(name('attn_q.bias'), layer.queryBias),
    asF16(name('attn_k.weight'), layer.key),
    asF32(name('attn_k.bias'), layer.keyBias),
    asF16(name('attn_v.weight'), layer.value),
    asF32(name('attn_v.bias'), new Float32Array(layer.value.rows)),
    asF16(name('attn_output.weight'), layer.mix),
    asF32(name('ffn_norm.weight'), ones()),
    asQ8(name('ffn_gate.weight'), layer.gate),
    asQ8(name('ffn_up.weight'), layer.up),
    asQ8(name('ffn_down.weight'), layer.down),
  ];
}

/** Rounded up to whole blocks of Q8_0. */
function inBlocks(neurons: number): number {
  return Math.ceil(neurons / 32) * 32;
}

function ones(): Float32Array {
  return new Float32Array(WIDTH).fill(1);
}
