/** How many layers' experts must stay in RAM so that the rest fits a card. Pure. */

export interface OffloadInput {
  /** Bytes everything needs with all experts on the card. */
  all: number;
  /** Bytes of one layer's experts. */
  perLayer: number;
  layers: number;
  /** Bytes more as soon as one layer is in RAM: its experts are copied over to read a prompt. */
  staging: number;
  usable: number;
}

export type Offload =
  | { kind: 'none' }
  | { kind: 'layers'; layers: number; onCard: number; inRam: number }
  /** Even with every expert in RAM the rest is too large. */
  | { kind: 'impossible'; onCard: number };

/** The least N of `--n-cpu-moe N` that fits: each layer fewer on the card costs speed. */
export function leastOffload({ all, perLayer, layers, staging, usable }: OffloadInput): Offload {
  if (all <= usable) return { kind: 'none' };
  const n = Math.max(1, Math.ceil((all + staging - usable) / perLayer));
  if (n > layers) return { kind: 'impossible', onCard: all + staging - layers * perLayer };
  return { kind: 'layers', layers: n, onCard: all + staging - n * perLayer, inRam: n * perLayer };
}
