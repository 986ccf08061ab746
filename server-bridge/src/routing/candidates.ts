/** Which backends may answer a request, in order, and why each of the others may not. Pure. */
import type { BackendConfig, ModelConfig, Role } from '@hearth/protocol';
import type { Health } from './health.ts';

interface Candidate {
  backend: BackendConfig;
  /** True for every backend but the model's preferred one. */
  fallback: boolean;
}

export interface PassedOver {
  backend: string;
  reason: string;
}

export type Route =
  | { kind: 'route'; model: string; candidates: Candidate[]; passedOver: PassedOver[] }
  | { kind: 'unknown_model'; asked: string; known: string[] };

/** The part of the configuration that decides. */
export interface RoutingTable {
  backends: BackendConfig[];
  models: ModelConfig[];
  defaults: { completion?: string | undefined; chat?: string | undefined };
}

export interface Wish {
  /** A model id, a backend id (pinned: no fallback), `auto`, or absent. */
  model: string | undefined;
  role: Role;
  /** The request fills in the middle, so the backend's format must be known. */
  fim: boolean;
}

export function route(table: RoutingTable, wish: Wish, health: (backend: string) => Health): Route {
  const model = resolveModel(table, wish);
  if (model === undefined)
    return { kind: 'unknown_model', asked: wish.model ?? 'auto', known: knownIds(table) };

  const candidates: Candidate[] = [];
  const passedOver: PassedOver[] = [];
  model.backends.forEach((id, position) => {
    const backend = table.backends.find((one) => one.id === id);
    if (backend === undefined) return;
    const reason = reasonAgainst(backend, wish, health(id));
    if (reason === undefined) candidates.push({ backend, fallback: position > 0 });
    else passedOver.push({ backend: id, reason });
  });
  return { kind: 'route', model: model.id, candidates, passedOver };
}

function resolveModel(table: RoutingTable, wish: Wish): ModelConfig | undefined {
  if (wish.model !== undefined && wish.model !== 'auto') {
    const named = table.models.find((model) => model.id === wish.model);
    if (named !== undefined) return named;
    const pinned = table.backends.find((backend) => backend.id === wish.model);
    return pinned && { id: pinned.id, backends: [pinned.id] };
  }
  const preferred =
    wish.role === 'completion' || wish.role === 'chat' ? table.defaults[wish.role] : undefined;
  const serves = (model: ModelConfig) =>
    model.backends.some((id) => table.backends.find((one) => one.id === id)?.serves.includes(wish.role));
  return table.models.find((model) => model.id === preferred) ?? table.models.find(serves) ?? table.models[0];
}

function reasonAgainst(backend: BackendConfig, wish: Wish, health: Health): string | undefined {
  if (!backend.serves.includes(wish.role)) return `does not serve ${wish.role}`;
  if (wish.fim && backend.fim === 'none') return 'its model has no fill-in-the-middle format';
  if (health.state === 'up' || health.state === 'suspect') return undefined;
  return health.reason === null ? health.state : `${health.state}: ${health.reason}`;
}

/** What a request may name. */
function knownIds(table: RoutingTable): string[] {
  return ['auto', ...table.models.map((model) => model.id), ...table.backends.map((backend) => backend.id)];
}
