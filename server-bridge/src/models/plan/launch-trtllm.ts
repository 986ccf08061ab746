/**
 * `trtllm-serve` for a backend. Flags: TensorRT-LLM tensorrt_llm/commands/serve.py; the file's fields: KvCacheConfig and
 * docs/source/features/speculative-decoding.md. Pure.
 */
import type { BackendConfig, GpuConfig } from '@hearth/protocol';
import { BATCHED_TOKENS } from './assumptions.ts';
import { hostAndPort, quoted, type Launch } from './launch.ts';
import type { Need, Setting } from './need.ts';

export function launchTrtllm(
  backend: BackendConfig,
  setting: Setting,
  need: Need,
  { gpu, fraction }: { gpu: GpuConfig | undefined; fraction: number },
): Launch {
  const { host, port } = hostAndPort(backend.url);
  const file = `trtllm-${backend.id}.yaml`;
  const text = [
    'enable_chunked_prefill: true',
    'kv_cache_config:',
    `  free_gpu_memory_fraction: ${fraction}`,
    '  enable_block_reuse: true',
    `  dtype: ${need.cacheType.name === 'fp8' ? 'fp8' : 'auto'}`,
    '',
  ].join('\n');
  return {
    environment: gpu?.uuid === undefined ? {} : { CUDA_VISIBLE_DEVICES: gpu.uuid },
    command: `trtllm-serve ${quoted(backend.model ?? '')}`,
    flags: [
      `--host ${host} --port ${port}`,
      `--max_seq_len ${setting.context}`,
      `--max_batch_size ${setting.concurrency}`,
      `--max_num_tokens ${BATCHED_TOKENS}`,
      // Of what is free once weights and buffers are in place, so another server must start before or after, not during.
      `--kv_cache_free_gpu_memory_fraction ${fraction}`,
      `--config ${file}`,
    ],
    files: [{ name: file, text }],
    optional: [
      {
        flags: [
          `in ${file}: disable_overlap_scheduler: true, speculative_config: { decoding_type: NGram, max_draft_len: 3, max_matching_ngram_size: 4 }`,
        ],
        why: 'speculation from the prompt: needs no draft model; helps at low load only',
      },
    ],
  };
}
