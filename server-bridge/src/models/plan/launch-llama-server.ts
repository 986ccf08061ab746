/** `llama-server` for a backend. Flags: llama.cpp tools/server/README.md. Pure. */
import type { BackendConfig, GpuConfig } from '@hearth/protocol';
import { entryById } from '../catalogue/match.ts';
import { quantisation } from '../catalogue/quantisations.ts';
import { gb } from './format.ts';
import { hostAndPort, quoted, type Launch } from './launch.ts';
import type { Need, Setting } from './need.ts';
import type { Offload } from './offload.ts';
import { fileWeights } from './weights.ts';

/** Tokens: shorter pieces of an old prompt aren't worth moving. The value llama.vscode's presets use. */
const CACHE_REUSE = 256;
/** Tokens of a logical batch; the program's own default. */
const BATCH = 2_048;

export function launchLlamaServer(
  backend: BackendConfig,
  setting: Setting,
  need: Need,
  { gpu, offload }: { gpu: GpuConfig | undefined; offload: Offload },
): Launch {
  const { entry } = setting.match;
  const { host, port } = hostAndPort(backend.url);
  const model = backend.model ?? '';
  const isFile = model.endsWith('.gguf');
  const flags = [
    `--host ${host} --port ${port}`,
    ...(isFile ? [] : [`--alias ${quoted(model)}`]),
    `-c ${setting.context * setting.concurrency} -np ${setting.concurrency}`,
    `-b ${Math.max(BATCH, need.ubatch)} -ub ${need.ubatch}`,
    '-fa on -ctk q8_0 -ctv q8_0',
    gpu === undefined ? '-ngl 0' : '-ngl all',
  ];
  if (offload.kind === 'layers') flags.push(`--n-cpu-moe ${offload.layers}`);
  flags.push(...deviceFlags(gpu), ...useFlags(setting), '--metrics');
  return {
    environment: gpu?.vendor === 'nvidia' && gpu.uuid !== undefined ? { CUDA_VISIBLE_DEVICES: gpu.uuid } : {},
    command: `llama-server -m ${isFile ? quoted(model) : `/path/to/${quoted(model.split('/').at(-1) ?? '')}.gguf`}`,
    flags,
    files: [],
    optional: speculation(entry.draft),
  };
}

/** `llama-server --list-devices` shows the names. Radeon: Vulkan before ROCm. */
const deviceFlags = (gpu: GpuConfig | undefined) =>
  gpu === undefined ? [] : [gpu.vendor === 'amd' ? '-dev Vulkan0' : '-dev CUDA0'];

function useFlags({ match: { entry } }: Setting): string[] {
  switch (entry.use) {
    case 'embedding':
      return ['--embeddings --pooling last'];
    case 'rerank':
      return ['--reranking --pooling rank'];
    case 'generate':
      // Windows and states can't be shifted, so pieces of an old prompt can't be moved in them.
      return entry.architecture.sliding === undefined && entry.architecture.linear === undefined
        ? [`--cache-reuse ${CACHE_REUSE}`, '--jinja']
        : ['--jinja'];
  }
}

function speculation(draft: string | undefined): Launch['optional'] {
  const entry = draft === undefined ? undefined : entryById(draft);
  if (entry === undefined) return [];
  const weights = fileWeights(entry, quantisation('Q8_0'));
  return [
    {
      flags: [`-md /path/to/${entry.id}-q8_0.gguf -ngld all --spec-type draft-simple --spec-draft-n-max 16`],
      why: `speculation with ${entry.title} as the draft: ${gb(weights.bytes)} more for its weights, and a cache of its own`,
    },
  ];
}
