/** Which backends may answer a request, in order and each with its reason, and why each of the others may not. Pure. */
import type { ModelConfig, Role } from '@hearth/protocol';
import type { Standing } from './standing.ts';

interface Candidate {
  backend: Standing;
  /** True for every backend but the model's preferred one. */
  fallback: boolean;
  /** Why it stands where it stands, in words. */
  reason: string;
}

export interface PassedOver {
  backend: string;
  reason: string;
}

export type Route =
  | {
      kind: 'route';
      model: string;
      candidates: Candidate[];
      passedOver: PassedOver[];
      /** Whether one of the passed over will show in a moment whether it can answer: worth waiting for. */
      soon: boolean;
      /** Whether it is for the request's size alone that nobody is left. */
      tooLong: boolean;
    }
  | { kind: 'unknown_model'; asked: string; known: string[] };

/** The part of the configuration that decides, with what is known of each backend. */
export interface RoutingTable {
  /** In the order of the configuration. */
  backends: Standing[];
  models: ModelConfig[];
  defaults: { completion?: string | undefined; chat?: string | undefined };
}

export interface Wish {
  /** A model id, a backend id (pinned: no fallback), `auto`, or absent. */
  model: string | undefined;
  role: Role;
  /** The request fills in the middle, so the backend's format must be known. */
  fim: boolean;
  /** UTF-8 bytes that can't be left out of the prompt; 0 for one that is trimmed to whatever context there is. */
  bytes: number;
  /** Tokens kept for the answer. */
  answerTokens: number;
  needs?: Needs | undefined;
}

/** What only some backends can do, and the words for those that can't. */
export interface Needs {
  of: (backend: Standing) => boolean;
  otherwise: string;
}

/** A KV cache this full makes the engine throw out one request's work to go on with another's. */
const KV_FULL = 0.95;

/**
 * Prose has so many times the bytes of dense code in a token. A request is too long only if it is so even then: what
 * may fit is for the model server to judge, which counts.
 */
const SPARSE = 1.5;

/**
 * `tried` has the backends that have failed this very request, with the reason. Whether a candidate has a free place is
 * not asked here: that changes with every request, and the queue knows.
 */
export function route(
  table: RoutingTable,
  wish: Wish,
  tried: ReadonlyMap<string, string> = NONE_TRIED,
): Route {
  const model = resolveModel(table, wish);
  if (model === undefined)
    return { kind: 'unknown_model', asked: wish.model ?? 'auto', known: knownIds(table) };

  const inOrder: Candidate[] = [];
  const afterThem: Candidate[] = [];
  const passedOver: PassedOver[] = [];
  let soon = false;
  let tooLong = 0;
  model.backends.forEach((id, position) => {
    const backend = table.backends.find((one) => one.id === id);
    if (backend === undefined) return;
    const against = tried.get(id) ?? unfit(backend, wish) ?? unable(backend);
    if (against !== undefined) {
      passedOver.push({ backend: id, reason: against });
      return;
    }
    const oversize = tooLarge(backend, wish);
    if (oversize !== undefined) {
      tooLong++;
      passedOver.push({ backend: id, reason: oversize });
      return;
    }
    if (backend.health.phase === 'unproven') {
      soon = true;
      passedOver.push({ backend: id, reason: backend.health.reason ?? 'it has yet to prove itself' });
      return;
    }
    const fallback = position > 0;
    const strained = strain(backend);
    if (strained === undefined)
      inOrder.push({ backend, fallback, reason: fallback ? `fallback ${position}` : 'preferred' });
    else afterThem.push({ backend, fallback, reason: `last, since ${strained}` });
  });
  const candidates = [...inOrder, ...afterThem];
  return {
    kind: 'route',
    model: model.id,
    candidates,
    passedOver,
    soon,
    tooLong: candidates.length === 0 && !soon && tooLong > 0,
  };
}

const NONE_TRIED: ReadonlyMap<string, string> = new Map();

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
    model.backends.some((id) =>
      table.backends.find((one) => one.id === id)?.config.serves.includes(wish.role),
    );
  return table.models.find((model) => model.id === preferred) ?? table.models.find(serves) ?? table.models[0];
}

/** Why the backend is of no use for such a request, whatever its state. */
function unfit(backend: Standing, wish: Wish): string | undefined {
  if (!backend.config.serves.includes(wish.role)) return `does not serve ${wish.role}`;
  if (wish.fim && backend.config.fim === 'none') return 'its model has no fill-in-the-middle format';
  if (wish.fim && backend.fimFault !== null) return `it can't fill in the middle: ${backend.fimFault}`;
  return wish.needs === undefined || wish.needs.of(backend) ? undefined : wish.needs.otherwise;
}

/** Why it can't answer anything now. */
function unable({ state, reason, heat }: Standing): string | undefined {
  if (heat.level === 'critical') return heat.words;
  if (state === 'up' || state === 'suspect') return undefined;
  return reason === null ? state : `${state}: ${reason}`;
}

function tooLarge(backend: Standing, wish: Wish): string | undefined {
  const needed = Math.ceil(wish.bytes / (backend.bytesPerToken * SPARSE)) + wish.answerTokens;
  if (wish.bytes === 0 || needed <= backend.context) return undefined;
  return `at least ${needed} tokens are needed, and its context is ${backend.context}`;
}

/** Why it should be asked only if nobody else can. */
function strain({ heat, load, config }: Standing): string | undefined {
  if (heat.level === 'hot') return heat.words;
  if (load.kvUse !== undefined && load.kvUse >= KV_FULL)
    return `its KV cache is ${Math.round(load.kvUse * 100)} % full`;
  if (load.waiting !== undefined && load.waiting >= config.max_concurrency)
    return `${load.waiting} requests wait inside its engine`;
  return undefined;
}

/** What a request may name. */
function knownIds(table: RoutingTable): string[] {
  return ['auto', ...table.models.map((model) => model.id), ...table.backends.map((backend) => backend.id)];
}
