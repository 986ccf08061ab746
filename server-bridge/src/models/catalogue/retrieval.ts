/** Models of the codebase search: embeddings and rerankers of the Qwen3 family, loaded without their output head. Pure. */
import type { Architecture, CatalogueEntry } from './entry.ts';

/** Qwen3-8B's shape; both were made from it. */
const SHAPE_8B: Architecture = {
  full: { layers: 36, kvHeads: 8, headDim: 128 },
  hidden: 4_096,
  vocabulary: 151_936,
  maxContext: 32_768,
};
/** 8,190,735,360 of Qwen3-8B less the head of 151,936 x 4,096. */
const PARAMETERS_8B = 7_568_405_504;
const EMBEDDING_8B = 622_329_856;
const KOLOSAL = 'kolosal/qwen3-embedding-8b, file listing';

/** vLLM reads the original rerankers as a classifier of two tokens: docs.vllm.ai, examples/pooling, qwen3_reranker. */
const RERANKER_OVERRIDES =
  '{"architectures":["Qwen3ForSequenceClassification"],"classifier_from_token":["no","yes"],"is_original_qwen3_reranker":true}';

export const RETRIEVAL_MODELS: readonly CatalogueEntry[] = [
  {
    id: 'qwen3-embedding-8b',
    title: 'Qwen3-Embedding 8B',
    use: 'embedding',
    pattern: /qwen3-embedding-8b/,
    architecture: SHAPE_8B,
    parameters: PARAMETERS_8B,
    keptIn16Bit: EMBEDDING_8B,
    published: {
      F16: { bytes: 15.1e9, source: KOLOSAL },
      Q8_0: { bytes: 8.05e9, source: KOLOSAL },
      Q6_K: { bytes: 6.21e9, source: KOLOSAL },
      Q5_K_M: { bytes: 5.42e9, source: KOLOSAL },
      Q4_K_M: { bytes: 4.68e9, source: KOLOSAL },
    },
    vllm: { kvCache: 'auto' },
    source:
      'QwenLM/Qwen3-Embedding README (36 layers, 32K); KV heads and head size from Qwen3-8B config.json',
  },
  {
    id: 'qwen3-reranker-8b',
    title: 'Qwen3-Reranker 8B',
    use: 'rerank',
    pattern: /qwen3-reranker-8b/,
    architecture: SHAPE_8B,
    parameters: PARAMETERS_8B,
    keptIn16Bit: EMBEDDING_8B,
    published: {},
    vllm: { kvCache: 'auto', overrides: RERANKER_OVERRIDES },
    source: 'Qwen3-Reranker-8B model card; shapes from Qwen3-8B config.json',
  },
  {
    id: 'qwen3-reranker-0.6b',
    title: 'Qwen3-Reranker 0.6B',
    use: 'rerank',
    pattern: /qwen3-reranker-0\.6b/,
    architecture: {
      full: { layers: 28, kvHeads: 8, headDim: 128 },
      hidden: 1_024,
      vocabulary: 151_936,
      maxContext: 32_768,
    },
    parameters: 596_049_920,
    keptIn16Bit: 155_582_464,
    published: {},
    vllm: { kvCache: 'auto', overrides: RERANKER_OVERRIDES },
    source: 'Qwen3-Embedding README; shapes from copies of the Qwen3-0.6B config.json',
  },
];
