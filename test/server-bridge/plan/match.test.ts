import assert from 'node:assert/strict';
import { CATALOGUE, matchModel } from '../../../server-bridge/src/models/catalogue/match.ts';

describe('a model’s name', () => {
  const table = [
    ['Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8', 'vllm', 'qwen3-coder-30b-a3b FP8'],
    ['Qwen/Qwen3-Coder-30B-A3B-Instruct', 'vllm', 'qwen3-coder-30b-a3b BF16 (assumed)'],
    ['qwen3-coder:30b', 'llamacpp', 'qwen3-coder-30b-a3b Q4_K_M (assumed)'],
    ['unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF:UD-Q4_K_XL', 'llamacpp', 'qwen3-coder-30b-a3b Q4_K_M'],
    ['Qwen/Qwen3-Coder-Next-FP8', 'vllm', 'qwen3-coder-next FP8'],
    ['Qwen3-Coder-Next-MXFP4_MOE.gguf', 'llamacpp', 'qwen3-coder-next MXFP4'],
    ['openai/gpt-oss-120b', 'vllm', 'gpt-oss-120b MXFP4'],
    ['gpt-oss-120b-F16.gguf', 'llamacpp', 'gpt-oss-120b MXFP4'],
    [
      '/models/Qwen3-235B-A22B-Instruct-2507-Q4_K_M-00001-of-00003.gguf',
      'llamacpp',
      'qwen3-235b-a22b Q4_K_M',
    ],
    ['/models/Qwen3-235B-A22B-Instruct-2507-Q4_K_M.gguf', 'llamacpp', 'qwen3-235b-a22b Q4_K_M'],
    ['C:\\models\\Qwen3-235B-A22B-Q3_K_L.gguf', 'llamacpp', 'qwen3-235b-a22b Q3_K_L'],
    [
      '/hub/models--unsloth--Qwen3-Coder-30B-A3B-Instruct-GGUF/snapshots/1a2b/model-Q6_K.gguf',
      'llamacpp',
      'qwen3-coder-30b-a3b Q6_K',
    ],
    ['qwen2.5-coder-1.5b', 'embedded', 'qwen2.5-coder-1.5b Q4_K_M (assumed)'],
    ['qwen2.5-coder-3b', 'llamacpp', 'qwen2.5-coder-3b Q4_K_M (assumed)'],
    ['qwen2.5-coder-7b-instruct-q8_0.gguf', 'llamacpp', 'qwen2.5-coder-7b Q8_0'],
    ['Qwen/Qwen2.5-Coder-14B-Instruct-AWQ', 'vllm', 'qwen2.5-coder-14b AWQ'],
    ['Qwen/Qwen3-Embedding-8B', 'vllm', 'qwen3-embedding-8b BF16 (assumed)'],
    ['Qwen3-Reranker-0.6B-f16.gguf', 'llamacpp', 'qwen3-reranker-0.6b F16'],
    ['Qwen/Qwen2.5-Coder-32B-Instruct', 'vllm', 'unknown'],
    ['Qwen/Qwen3-Coder-480B-A35B-Instruct', 'vllm', 'unknown'],
    ['openai/gpt-oss-20b', 'vllm', 'unknown'],
    ['acme/foo-7b', 'vllm', 'unknown'],
  ] as const;

  for (const [name, engine, expected] of table)
    it(`${name} is ${expected}`, () => {
      const match = matchModel(name, engine);
      const said =
        match === undefined
          ? 'unknown'
          : `${match.entry.id} ${match.quantisation.name}${match.stated ? '' : ' (assumed)'}`;
      assert.equal(said, expected);
    });

  it('means one model of the catalogue at the most', () => {
    for (const entry of CATALOGUE)
      assert.deepEqual(
        CATALOGUE.filter((other) => other.pattern.test(entry.id)).map((one) => one.id),
        [entry.id],
      );
  });
});
