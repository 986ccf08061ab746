/** Qwen2.5-Coder, for a card of 16 GB: shapes and contexts from the model cards and config.json. Pure. */
import type { CatalogueEntry, Published } from './entry.ts';

const CARD = 'Qwen2.5-Coder model cards and config.json';
const UNSLOTH = 'unsloth/Qwen2.5-Coder-3B-Instruct-GGUF, file listing';
const DBANDS = (size: string) =>
  `dbands/Qwen2.5-Coder-${size}-Instruct-reason-gguf (same shapes), file listing`;

interface Size {
  name: string;
  layers: number;
  kvHeads: number;
  headDim: number;
  hidden: number;
  vocabulary: number;
  parameters: number;
  /** The smallest three have one matrix for embedding and head. */
  embedding: number;
  published: Record<string, Published>;
  draft?: string;
}

const SIZES: readonly Size[] = [
  {
    name: '0.5b',
    layers: 24,
    kvHeads: 2,
    headDim: 64,
    hidden: 896,
    vocabulary: 151_936,
    parameters: 494_032_768,
    embedding: 136_134_656,
    published: {},
  },
  {
    name: '1.5b',
    layers: 28,
    kvHeads: 2,
    headDim: 128,
    hidden: 1_536,
    vocabulary: 151_936,
    parameters: 1_543_714_304,
    embedding: 233_373_696,
    published: {
      Q4_K_M: {
        bytes: 1_117_320_768,
        source: 'Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF (engine-llama/src/models/catalogue.ts)',
      },
    },
  },
  {
    name: '3b',
    layers: 36,
    kvHeads: 2,
    headDim: 128,
    hidden: 2_048,
    vocabulary: 151_936,
    parameters: 3_085_938_688,
    embedding: 311_164_928,
    published: {
      F16: { bytes: 6.18e9, source: UNSLOTH },
      Q8_0: { bytes: 3.29e9, source: UNSLOTH },
      Q6_K: { bytes: 2.54e9, source: UNSLOTH },
      Q5_K_M: { bytes: 2.22e9, source: UNSLOTH },
      Q4_K_M: { bytes: 1.93e9, source: UNSLOTH },
      Q3_K_M: { bytes: 1.59e9, source: UNSLOTH },
      Q2_K: { bytes: 1.27e9, source: UNSLOTH },
    },
  },
  {
    name: '7b',
    layers: 28,
    kvHeads: 4,
    headDim: 128,
    hidden: 3_584,
    vocabulary: 152_064,
    parameters: 7_615_616_512,
    embedding: 2 * 544_997_376,
    published: {
      Q8_0: { bytes: 8.1e9, source: DBANDS('7B') },
      Q5_K_M: { bytes: 5.44e9, source: DBANDS('7B') },
      Q4_K_M: { bytes: 4.68e9, source: DBANDS('7B') },
    },
    // llama-server's own --fim-qwen-7b-spec and --fim-qwen-14b-spec pair them with the 0.5B.
    draft: 'qwen2.5-coder-0.5b',
  },
  {
    name: '14b',
    layers: 48,
    kvHeads: 8,
    headDim: 128,
    hidden: 5_120,
    vocabulary: 152_064,
    parameters: 14_770_033_664,
    embedding: 2 * 778_567_680,
    published: {
      Q8_0: { bytes: 15.7e9, source: DBANDS('14B') },
      Q5_K_M: { bytes: 10.5e9, source: DBANDS('14B') },
      Q4_K_M: { bytes: 8.99e9, source: DBANDS('14B') },
    },
    draft: 'qwen2.5-coder-0.5b',
  },
];

export const SMALL_CODERS: readonly CatalogueEntry[] = SIZES.map((size) => ({
  id: `qwen2.5-coder-${size.name}`,
  title: `Qwen2.5-Coder ${size.name.toUpperCase()}`,
  use: 'generate' as const,
  pattern: new RegExp(`qwen2\\.5-coder-${size.name.replace('.', '\\.')}(?![a-z0-9.])`),
  architecture: {
    full: { layers: size.layers, kvHeads: size.kvHeads, headDim: size.headDim },
    hidden: size.hidden,
    vocabulary: size.vocabulary,
    // 7B and 14B reach 131,072 with YaRN, which the engine has to be told.
    maxContext: 32_768,
  },
  parameters: size.parameters,
  keptIn16Bit: size.embedding,
  published: size.published,
  // No tool parser: it doesn't write the format that vLLM's hermes parser reads (hanXen/vllm-qwen2.5-coder-tool-parser).
  vllm: { kvCache: 'fp8' as const },
  draft: size.draft,
  source: CARD,
}));
