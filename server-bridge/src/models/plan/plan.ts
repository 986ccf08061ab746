/** The whole server: its cards, what lives on each, whether it fits at once, and what swaps cost. Pure. */
import type { BackendConfig, BridgeConfig, GpuConfig } from '@hearth/protocol';
import { GIB, STORAGE_BYTES_PER_SECOND, USABLE_SHARE } from './assumptions.ts';
import { planBackend, type BackendPlan, type Planned } from './backend-plan.ts';
import { fitTogether, usableBytes } from './memory-needed.ts';
import { swapsOn, type Swap } from './swap.ts';

export interface CardPlan {
  id: string;
  vendor: string;
  memory_gb: number;
  bytes: number;
  usable: number;
  backends: BackendPlan[];
  /** Bytes that all known models of the card need at once. */
  sum: number;
  together: 'yes' | 'no' | 'unknown';
  swaps: Swap[];
}

export interface ServerPlan {
  /** Everything that is known fits, all backends of a card at once. */
  ok: boolean;
  assumptions: { usable_share: number; storage_bytes_per_second: number };
  cards: CardPlan[];
  /** Backends on no card. */
  elsewhere: BackendPlan[];
}

export type PlanInput = Pick<BridgeConfig, 'gpus' | 'backends' | 'models'>;

export function planServer(config: PlanInput): ServerPlan {
  const cards = config.gpus.map((gpu) => planCard(gpu, config));
  const elsewhere = config.backends
    .filter((backend) => backend.gpu === undefined)
    .map((backend) => planBackend(backend, undefined, { alone: false, severalNvidia: false }));
  const all = [...cards.flatMap((card) => card.backends), ...elsewhere];
  const good = all.every(
    (plan) => plan.kind !== 'planned' || (plan.fits !== 'no' && plan.problems.length === 0),
  );
  return {
    ok: good && cards.every((card) => card.together !== 'no'),
    assumptions: { usable_share: USABLE_SHARE, storage_bytes_per_second: STORAGE_BYTES_PER_SECOND },
    cards,
    elsewhere,
  };
}

function planCard(gpu: GpuConfig, config: PlanInput): CardPlan {
  const here = config.backends.filter((backend) => backend.gpu === gpu.id);
  const together = fitTogether(here, gpu);
  const pair = (a: BackendConfig, b: BackendConfig) => fitTogether([a, b], gpu);
  const severalNvidia = config.gpus.filter((one) => one.vendor === 'nvidia').length > 1;
  const plans = here.map((backend) => {
    // Models that take turns with every other have the card to themselves.
    const alone = here.every((other) => other === backend || pair(backend, other) === 'no');
    return planBackend(backend, gpu, { alone, severalNvidia });
  });
  const planned = plans.filter((plan): plan is Planned => plan.kind === 'planned');
  const byId = new Map(here.map((backend) => [backend.id, backend]));
  const overlap = (a: string, b: string) => {
    const [one, other] = [byId.get(a), byId.get(b)];
    return one !== undefined && other !== undefined && pair(one, other) === 'yes';
  };
  return {
    id: gpu.id,
    vendor: gpu.vendor,
    memory_gb: gpu.memory_gb,
    bytes: gpu.memory_gb * GIB,
    usable: usableBytes(gpu),
    backends: plans,
    sum: planned.reduce((sum, plan) => sum + plan.need, 0),
    together,
    swaps: swapsOn(gpu.id, planned, config.models, overlap),
  };
}
