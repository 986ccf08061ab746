/** What was found out about a card in one look at it, whoever its maker is. Pure. */
import type { GpuConfig } from '@hearth/protocol';

/** Null is "not known"; it never means zero. */
export interface GpuReading {
  /** Whole degrees Celsius: of the core for NVIDIA, of the hottest spot (`junction`) for AMD where it is measured. */
  readonly temperatureC: number | null;
  /** Share of the last moments in which it worked, 0 to 1. */
  readonly utilization: number | null;
  /** MiB. */
  readonly memoryUsedMb: number | null;
  readonly memoryTotalMb: number | null;
  readonly powerW: number | null;
  /** Why it has slowed its own clocks down for its heat, in words; null while it hasn't, or doesn't say. */
  readonly slowdown: string | null;
  /** What its driver says is wrong with it, in words that follow "is lost:"; null while nothing is. */
  readonly fault: string | null;
}

export type Look =
  | { readonly kind: 'read'; readonly reading: GpuReading }
  /** It isn't among the cards of this machine: never was, or is no longer. */
  | { readonly kind: 'absent'; readonly reason: string }
  /** It is known by its address and can't be reached any more. */
  | { readonly kind: 'lost'; readonly reason: string }
  /** Nothing was found out this time. */
  | { readonly kind: 'silent'; readonly reason: string };

/** How the configuration names a card. */
export type CardName = Pick<GpuConfig, 'uuid' | 'pci'>;

/** One maker's way of telling about its cards. */
export interface GpuSource {
  /** One answer for each name, in order, within some seconds. Never rejects. Not to be called while it still looks. */
  look: (cards: readonly CardName[]) => Promise<Look[]>;
  close: () => void;
}

export type GpuSources = Readonly<Record<GpuConfig['vendor'], GpuSource>>;
