/** The large models of the seed: their shapes from config.json, parameters counted from the shapes. Pure. */
import type { CatalogueEntry } from './entry.ts';

/** gpt-oss-120b on an H100: 71.2 GiB allowed (0.9 of 79.1), weights 65.97, and 2.14 GiB short of any cache. */
const VLLM_23278 = 'vllm#23278 (H100 80 GB, start-up log)';
const GIB = 2 ** 30;

export const LARGE_CODERS: readonly CatalogueEntry[] = [
  {
    id: 'qwen3-coder-30b-a3b',
    title: 'Qwen3-Coder 30B-A3B',
    use: 'generate',
    pattern: /qwen3-coder-30b/,
    architecture: {
      full: { layers: 48, kvHeads: 4, headDim: 128 },
      hidden: 2_048,
      vocabulary: 151_936,
      maxContext: 262_144,
    },
    parameters: 30_532_122_624,
    activeParameters: 3.3e9,
    experts: { layers: 48, perLayer: 128, parameters: 28_991_029_248 },
    keptIn16Bit: 622_329_856 + 12_582_912,
    published: {
      Q4_K_M: {
        bytes: 18.6e9,
        source: 'hyperspaceai/Qwen3-Coder-30B-A3B-asym-2bitexp-GGUF card, its baseline',
      },
      BF16: { bytes: 61.1e9, source: 'file listings of unquantised fine-tunes on Hugging Face' },
    },
    vllm: { toolParser: 'qwen3_coder', kvCache: 'fp8' },
    source: 'config.json (copy in shailesh83/Qwen3-Coder-int8), Qwen3-Coder-30B-A3B-Instruct model card',
  },
  {
    id: 'qwen3-coder-next',
    title: 'Qwen3-Coder-Next 80B-A3B',
    use: 'generate',
    pattern: /qwen3-coder-next/,
    architecture: {
      // 12 x (3 Gated DeltaNet, 1 attention).
      full: { layers: 12, kvHeads: 2, headDim: 256 },
      linear: { layers: 36, keyHeads: 16, valueHeads: 32, headDim: 128, convolution: 4 },
      hidden: 2_048,
      vocabulary: 151_936,
      maxContext: 262_144,
    },
    parameters: 79_674_391_296,
    activeParameters: 3e9,
    experts: { layers: 48, perLayer: 512, parameters: 77_309_411_328 },
    keptIn16Bit: 622_329_856 + 50_331_648,
    published: {
      Q4_K_M: { bytes: 48.5e9, source: 'steampunque/Qwen3-Coder-Next-Hybrid-GGUF card' },
    },
    vllm: { toolParser: 'qwen3_coder', kvCache: 'fp8' },
    source:
      'Qwen3-Coder-Next model card; THUDM/slime scripts/models/qwen3-next-80B-A3B.sh; Qwen3NextConfig defaults',
  },
  {
    id: 'gpt-oss-120b',
    title: 'gpt-oss-120b',
    use: 'generate',
    pattern: /gpt-oss-120b/,
    architecture: {
      // Every other layer sees 128 tokens.
      full: { layers: 18, kvHeads: 8, headDim: 64 },
      sliding: { layers: 18, kvHeads: 8, headDim: 64, window: 128 },
      hidden: 2_880,
      vocabulary: 201_088,
      maxContext: 131_072,
    },
    parameters: 116_829_156_672,
    activeParameters: 5.1e9,
    experts: { layers: 36, perLayer: 128, parameters: 114_701_598_720 },
    keptIn16Bit: 116_829_156_672 - 114_701_598_720,
    onlyQuantisation: 'MXFP4',
    published: {
      MXFP4: {
        bytes: 60.8 * GIB,
        source: 'gpt-oss model card (60.8 GiB); llama-bench says 59.02 GiB of the GGUF',
      },
    },
    measuredInVllm: {
      weights: { bytes: 65.97 * GIB, source: VLLM_23278 },
      overhead: { bytes: 7.4 * GIB, source: VLLM_23278 },
    },
    // An 8-bit cache under attention sinks isn't documented for every card: the model's own 16 bits.
    vllm: { toolParser: 'openai', kvCache: 'auto' },
    source: 'openai/gpt-oss gpt_oss/torch/model.py, gpt-oss model card',
  },
  {
    id: 'qwen3-235b-a22b',
    title: 'Qwen3 235B-A22B',
    use: 'generate',
    pattern: /qwen3-235b-a22b/,
    architecture: {
      full: { layers: 94, kvHeads: 4, headDim: 128 },
      hidden: 4_096,
      vocabulary: 151_936,
      // The 2507 releases; the first had 40,960.
      maxContext: 262_144,
    },
    parameters: 235_093_634_560,
    activeParameters: 22e9,
    experts: { layers: 94, perLayer: 128, parameters: 227_096_395_776 },
    keptIn16Bit: 1_244_659_712 + 49_283_072,
    published: {
      Q4_K_M: {
        bytes: 142_646_905_312,
        source: 'bartowski/Qwen_Qwen3-235B-A22B-Instruct-2507-GGUF, sum of its four files',
      },
    },
    vllm: { toolParser: 'hermes', kvCache: 'fp8' },
    source: 'ik_llama.cpp#370 (GGUF metadata), MindSpeed-RL configs/model/qwen3_235b_a22b.yaml, model card',
  },
];
