/** The two questions a swap asks: what does this model take, and do these fit a card together? Pure. */
import type { BackendConfig, GpuConfig } from '@hearth/protocol';
import { GIB, USABLE_SHARE } from './assumptions.ts';
import { need, settingOf, type Setting } from './need.ts';
import { leastOffload, type Offload } from './offload.ts';

/** Bytes of a card that a plan may fill. `memory_gb` is what the maker writes on it, and that means GiB. */
export const usableBytes = (gpu: GpuConfig) => gpu.memory_gb * GIB * USABLE_SHARE;

/**
 * Bytes of GPU memory that a backend's model takes at its context and max_concurrency, with all of it on the card. For a
 * paged engine: the pool that holds one request of full length and the usual of each other; given more, it takes more.
 * `exact`: the name states the quantisation and its size was published. Undefined for a server elsewhere (`openai`) and
 * for a model that the catalogue doesn't have.
 */
export function memoryNeeded(backend: BackendConfig): { bytes: number; exact: boolean } | undefined {
  const setting = settingOf(backend);
  if (setting === undefined) return undefined;
  const { bytes, weights } = need(setting);
  return { bytes, exact: weights.published && setting.match.stated };
}

/** Only llama-server splits a model of experts between card and RAM. */
export function offloadOf(setting: Setting, usable: number): Offload {
  const { experts, parameters } = setting.match.entry;
  const whole = need(setting);
  if (whole.bytes <= usable) return { kind: 'none' };
  if (setting.engine !== 'llamacpp' || experts === undefined)
    return { kind: 'impossible', onCard: whole.bytes };
  const offloaded = need(setting, true);
  const perLayer = (offloaded.weights.bytes * (experts.parameters / parameters)) / experts.layers;
  return leastOffload({
    // A larger batch needs a larger buffer, so this may be more than what the whole needs.
    all: Math.max(offloaded.bytes, whole.bytes),
    perLayer,
    layers: experts.layers,
    staging: perLayer,
    usable,
  });
}

/**
 * Whether models fit one card at the same time. A model that is split between card and RAM fills the card, so it fits
 * alone only. `unknown` when a model isn't known and the known ones leave room.
 */
export function fitTogether(backends: BackendConfig[], gpu: GpuConfig): 'yes' | 'no' | 'unknown' {
  const usable = usableBytes(gpu);
  let sum = 0;
  let unknown = false;
  for (const backend of backends) {
    const setting = settingOf(backend);
    if (setting === undefined) {
      unknown = true;
      continue;
    }
    const { bytes } = need(setting);
    const split = bytes > usable && offloadOf(setting, usable).kind === 'layers';
    sum += split ? usable : bytes;
  }
  if (sum > usable) return 'no';
  return unknown ? 'unknown' : 'yes';
}
