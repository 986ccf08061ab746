/** One backend on its card: what it needs, whether that fits, how to start it, what would fit otherwise. Pure. */
import type { BackendConfig, GpuConfig } from '@hearth/protocol';
import { STORAGE_BYTES_PER_SECOND, USABLE_SHARE, VLLM_UTILISATION, WARM_UP_SECONDS } from './assumptions.ts';
import { count, gib } from './format.ts';
import type { Launch } from './launch.ts';
import { launchLlamaServer } from './launch-llama-server.ts';
import { launchTrtllm } from './launch-trtllm.ts';
import { launchVllm } from './launch-vllm.ts';
import { offloadOf, usableBytes } from './memory-needed.ts';
import { isPaged, need, settingOf, type LocalEngine, type Need, type Setting } from './need.ts';
import type { Offload } from './offload.ts';
import { alternatives, nearest, type Nearest, type Row } from './room.ts';
import { total, type Term } from './term.ts';
import { fileWeights } from './weights.ts';

export interface Planned {
  kind: 'planned';
  backend: string;
  engine: LocalEngine;
  model: { name: string; id: string; title: string; use: string; source: string };
  parameters: { total: number; active: number };
  quantisation: { name: string; stated: boolean };
  context: number;
  concurrency: number;
  gpu: string | null;
  terms: Term[];
  /** Bytes on the card. */
  need: number;
  /** Bytes of the card that a plan may fill; null without a card. */
  usable: number | null;
  fits: 'yes' | 'no' | 'no card';
  exact: boolean;
  /** Experts kept in RAM. */
  offload: { layers: number; ram_bytes: number } | null;
  /** What a paged engine gets beyond the least, when the card is its own. */
  pool: { utilisation: number; bytes: number; tokens: number; full_requests: number } | null;
  load: { bytes: number; read_seconds: number; warm_up_seconds: number; seconds: number };
  launch: Launch | null;
  alternatives: Row[];
  nearest: Nearest | null;
  problems: string[];
  notes: string[];
}

interface NotPlanned {
  kind: 'unknown-model' | 'elsewhere';
  backend: string;
  model: string;
  gpu: string | null;
  advice: string;
}

export type BackendPlan = Planned | NotPlanned;

/** What else there is beside a backend. */
export interface Around {
  /** Nothing else can live on the card at the same time, so a pool may have the rest. */
  alone: boolean;
  /** Without a uuid, a command doesn't say which of several NVIDIA cards it means. */
  severalNvidia: boolean;
}

export function planBackend(backend: BackendConfig, gpu: GpuConfig | undefined, around: Around): BackendPlan {
  const setting = settingOf(backend);
  if (setting === undefined) return notPlanned(backend);
  const usable = gpu === undefined ? undefined : usableBytes(gpu);
  const offload: Offload = usable === undefined ? { kind: 'none' } : offloadOf(setting, usable);
  const needed = need(setting, offload.kind === 'layers');
  const terms = offload.kind === 'layers' ? offloadedTerms(needed, offload) : needed.terms;
  const bytes = total(terms);
  const fits = usable === undefined ? 'no card' : bytes <= usable ? 'yes' : 'no';
  const { entry, quantisation, stated } = setting.match;
  const pool = poolOf(setting, needed, gpu, around.alone);
  const file = fileWeights(entry, quantisation);
  const read = file.bytes / STORAGE_BYTES_PER_SECOND;
  const warmUp = WARM_UP_SECONDS[setting.engine];
  return {
    kind: 'planned',
    backend: backend.id,
    engine: setting.engine,
    model: {
      name: backend.model ?? '',
      id: entry.id,
      title: entry.title,
      use: entry.use,
      source: entry.source,
    },
    parameters: { total: entry.parameters, active: entry.activeParameters ?? entry.parameters },
    quantisation: { name: quantisation.name, stated },
    context: setting.context,
    concurrency: setting.concurrency,
    gpu: gpu?.id ?? null,
    terms,
    need: bytes,
    usable: usable ?? null,
    fits,
    exact: needed.weights.published && stated,
    offload: offload.kind === 'layers' ? { layers: offload.layers, ram_bytes: offload.inRam } : null,
    pool: fits === 'yes' ? pool : null,
    load: { bytes: file.bytes, read_seconds: read, warm_up_seconds: warmUp, seconds: read + warmUp },
    launch: fits === 'no' ? null : launchOf(backend, setting, needed, { gpu, offload, pool }),
    alternatives: usable === undefined ? [] : alternatives(setting, usable),
    nearest: fits === 'no' && usable !== undefined ? nearest(setting, usable) : null,
    problems: problemsOf(backend, setting),
    notes: notesOf(backend, setting, gpu, around),
  };
}

function notPlanned(backend: BackendConfig): NotPlanned {
  const model = backend.model ?? '';
  const common = { backend: backend.id, model, gpu: backend.gpu ?? null };
  if (backend.engine === 'openai')
    return {
      ...common,
      kind: 'elsewhere',
      advice: 'engine openai: some other server runs it, so its memory is not planned here',
    };
  return {
    ...common,
    kind: 'unknown-model',
    advice:
      'the catalogue does not know this model, so nothing can be said of its memory: start it, read the card (nvidia-smi, or mem_info_vram_used for Radeon) and leave that much room; or add it to server-bridge/src/models/catalogue',
  };
}

/** The same sum, less what stays in RAM, plus the place where a layer's experts are copied to. */
function offloadedTerms(needed: Need, offload: Offload & { kind: 'layers' }): Term[] {
  const perLayer = offload.inRam / offload.layers;
  return [
    ...needed.terms,
    {
      name: 'experts',
      arithmetic: `${offload.layers} layers x ${gib(perLayer)} stay in RAM (--n-cpu-moe ${offload.layers}, the least that fits)`,
      bytes: -offload.inRam,
      source: 'llama.cpp tools/server/README.md; experts taken as quantised like the rest',
    },
    {
      name: 'staging',
      arithmetic: `${gib(perLayer)}: one layer's experts, copied over to read a prompt`,
      bytes: perLayer,
      source: 'assumed: llama.cpp copies tensors to the card for large batches (--op-offload)',
    },
  ];
}

function poolOf(setting: Setting, needed: Need, gpu: GpuConfig | undefined, alone: boolean): Planned['pool'] {
  if (!isPaged(setting.engine) || gpu === undefined) return null;
  const card = usableBytes(gpu) / USABLE_SHARE;
  const least = Math.ceil((needed.bytes / card) * 1_000) / 1_000;
  const utilisation = Math.min(alone ? Math.max(least, VLLM_UTILISATION) : least, USABLE_SHARE);
  const bytes = Math.max(0, utilisation * card - needed.weights.bytes - needed.overhead.bytes);
  const { perToken, perFullRequest } = needed.cache;
  return {
    utilisation,
    bytes,
    // By the share of a full request, so that windows and states count too.
    tokens: Math.floor((bytes / perFullRequest) * setting.context),
    full_requests: perToken === 0 ? 0 : Number((bytes / perFullRequest).toFixed(2)),
  };
}

function launchOf(
  backend: BackendConfig,
  setting: Setting,
  needed: Need,
  { gpu, offload, pool }: { gpu: GpuConfig | undefined; offload: Offload; pool: Planned['pool'] },
): Launch | null {
  switch (setting.engine) {
    case 'vllm':
      return launchVllm(backend, setting, needed, {
        gpu,
        utilisation: pool?.utilisation ?? VLLM_UTILISATION,
      });
    case 'llamacpp':
      return launchLlamaServer(backend, setting, needed, { gpu, offload });
    case 'trtllm': {
      const free =
        gpu === undefined
          ? 0
          : usableBytes(gpu) / USABLE_SHARE - needed.weights.bytes - needed.overhead.bytes;
      const fraction = free > 0 ? Math.min(0.9, Math.ceil(((pool?.bytes ?? 0) / free) * 100) / 100) : 0.9;
      return launchTrtllm(backend, setting, needed, { gpu, fraction });
    }
    case 'embedded':
      return null;
  }
}

/** What no amount of memory mends. */
function problemsOf(backend: BackendConfig, { match, engine }: Setting): string[] {
  const problems = [];
  const { maxContext } = match.entry.architecture;
  if (backend.context > maxContext)
    problems.push(
      `context ${count(backend.context)} is more than the ${count(maxContext)} tokens ${match.entry.title} was made for; engines refuse it, or need RoPE scaling set by hand`,
    );
  const { file, name } = match.quantisation;
  if (isPaged(engine) && file === 'gguf')
    problems.push(`${name} is a GGUF format: ${engine} reads safetensors checkpoints`);
  if (!isPaged(engine) && file === 'checkpoint' && !['MXFP4', 'BF16'].includes(name))
    problems.push(`${name} names a safetensors checkpoint: llama.cpp reads GGUF files`);
  return problems;
}

function notesOf(
  backend: BackendConfig,
  { match, engine }: Setting,
  gpu: GpuConfig | undefined,
  around: Around,
): string[] {
  const notes = [];
  const { entry, quantisation, stated } = match;
  if (!stated)
    notes.push(`the name states no quantisation: ${quantisation.name}, the engine's usual, is assumed`);
  if (gpu === undefined) notes.push('no gpu is named for it, so it counts on no card');
  if (gpu?.vendor === 'nvidia' && gpu.uuid === undefined && around.severalNvidia)
    notes.push(
      'there are several NVIDIA cards: give this one its uuid (nvidia-smi -L), or the first is taken',
    );
  if (isPaged(engine) && gpu?.vendor === 'amd')
    notes.push(`${engine} on a Radeon card is not a path this plan knows: llama-server with Vulkan is`);
  if (engine === 'vllm' && entry.architecture.linear !== undefined)
    notes.push(
      'vLLM pads pages of a hybrid model and keeps states for its prefix cache: expect fewer tokens than reckoned',
    );
  if (engine === 'trtllm' && entry.architecture.linear !== undefined)
    notes.push('whether TensorRT-LLM reuses blocks of a hybrid model depends on its version: try it');
  if (entry.use === 'embedding' && backend.serves.some((role) => role !== 'embedding'))
    notes.push(`it embeds only, but serves: [${backend.serves.join(', ')}]`);
  if (entry.use === 'rerank' && backend.serves.some((role) => role !== 'rerank'))
    notes.push(`it ranks only, but serves: [${backend.serves.join(', ')}]`);
  return notes;
}
