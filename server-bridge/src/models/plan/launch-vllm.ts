/** `vllm serve` for a backend. Flags: docs.vllm.ai engine arguments, vllm/config/cache.py, vLLM recipes. Pure. */
import type { BackendConfig, GpuConfig } from '@hearth/protocol';
import { BATCHED_TOKENS } from './assumptions.ts';
import { hostAndPort, quoted, type Launch } from './launch.ts';
import type { Need, Setting } from './need.ts';

export function launchVllm(
  backend: BackendConfig,
  setting: Setting,
  need: Need,
  { gpu, utilisation }: { gpu: GpuConfig | undefined; utilisation: number },
): Launch {
  const { entry } = setting.match;
  const { host, port } = hostAndPort(backend.url);
  const generates = entry.use === 'generate';
  const flags = [
    `--host ${host} --port ${port}`,
    `--max-model-len ${setting.context}`,
    `--max-num-seqs ${setting.concurrency}`,
    `--max-num-batched-tokens ${Math.max(BATCHED_TOKENS, generates ? 0 : setting.context)}`,
    `--gpu-memory-utilization ${utilisation}`,
  ];
  if (need.cacheType.name === 'fp8') flags.push('--kv-cache-dtype fp8');
  if (generates) flags.push('--enable-prefix-caching');
  else flags.push('--runner pooling');
  const { toolParser, overrides } = entry.vllm ?? {};
  if (generates && toolParser !== undefined)
    flags.push(`--enable-auto-tool-choice --tool-call-parser ${toolParser}`);
  if (overrides !== undefined) flags.push(`--hf-overrides ${quoted(overrides)}`);
  return {
    environment: gpu?.uuid === undefined ? {} : { CUDA_VISIBLE_DEVICES: gpu.uuid },
    command: `vllm serve ${quoted(backend.model ?? '')}`,
    flags,
    files: [],
    optional: generates
      ? [
          {
            flags: [
              `--speculative-config ${quoted('{"method":"ngram","num_speculative_tokens":5,"prompt_lookup_max":4}')}`,
            ],
            why: 'speculation from the prompt: needs no draft model and no memory; helps edits, costs throughput under load',
          },
        ]
      : [],
  };
}
