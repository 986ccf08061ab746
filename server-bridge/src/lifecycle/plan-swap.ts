/** What a swap has to do, from what runs where and what fits: which backend gives way, and who covers the gap. Pure. */
import { HearthError, type GpuConfig } from '@hearth/protocol';
import { fitTogether } from '../models/plan/memory-needed.ts';
import type { RoutingTable } from '../routing/candidates.ts';
import type { Standing } from '../routing/standing.ts';
import type { Swap } from './swap.ts';

/** The model and the backend have to be in the table. @throws HearthError `invalid_request` where it makes no sense */
export function planSwap(modelId: string, toId: string, table: RoutingTable, gpus: GpuConfig[]): Swap {
  const model = table.models.find((one) => one.id === modelId);
  const to = standingOf(table, toId);
  if (model === undefined || to === undefined) throw new Error(`${modelId} or ${toId} is not in the table`);
  const listed = model.backends.flatMap((id) => standingOf(table, id) ?? []);
  const missing = missingRoles(listed, to);
  if (missing.length > 0)
    throw new HearthError(
      'invalid_request',
      `${toId} does not serve ${missing.join(' or ')}, as ${modelId} has to.`,
    );

  const gpu = gpus.find((one) => one.id === to.config.gpu);
  const neighbours = table.backends.filter(
    (one) => one !== to && isRunning(one) && gpu !== undefined && one.config.gpu === gpu.id,
  );
  const start = to.config.runner.kind !== 'none' && !isRunning(to);
  const together = gpu === undefined || neighbours.length === 0 ? 'yes' : fits([...neighbours, to], gpu);
  const from = leaving(listed, to, together === 'no' ? neighbours : []);
  return {
    model: modelId,
    from: from.id,
    to: toId,
    start,
    stop:
      from !== to &&
      from.config.runner.kind !== 'none' &&
      isRunning(from) &&
      isFree(from, modelId, table, to),
    together: from !== to && neighbours.includes(from) ? together : 'yes',
    cover: listed.find((one) => one !== from && one !== to && isServing(one))?.id ?? null,
  };
}

/**
 * Whom the new one takes the place of: the backend that the model prefers, or, where that is the new one itself and it
 * only isn't running, whoever has the card, or else the model's next.
 */
function leaving(listed: Standing[], to: Standing, inTheWay: Standing[]): Standing {
  const [preferred, next] = listed;
  if (preferred !== undefined && preferred !== to) return preferred;
  if (isRunning(to)) return to;
  return inTheWay.find(({ config }) => config.runner.kind !== 'none') ?? next ?? to;
}

/** No other model prefers it; unless it has to leave the card for a backend that is preferred itself. */
function isFree(from: Standing, modelId: string, table: RoutingTable, to: Standing): boolean {
  const others = table.models.filter((model) => model.id !== modelId && model.backends[0] === from.id);
  if (others.length === 0) return true;
  return table.models.some((model) => model.id === modelId && model.backends[0] === to.id);
}

function missingRoles(listed: Standing[], to: Standing): string[] {
  const needed = new Set(listed.slice(0, 1).flatMap(({ config }) => config.serves));
  return [...needed].filter((role) => !to.config.serves.includes(role));
}

function fits(backends: Standing[], gpu: GpuConfig): 'yes' | 'no' | 'unknown' {
  return fitTogether(
    backends.map(({ config }) => config),
    gpu,
  );
}

const isRunning = ({ health }: Standing) => health.phase === 'serving' || health.phase === 'unproven';
const isServing = ({ state }: Standing) => state === 'up' || state === 'suspect';
const standingOf = (table: RoutingTable, id: string) => table.backends.find((one) => one.id === id);
