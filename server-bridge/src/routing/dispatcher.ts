/**
 * Decides who answers which request and when: routes, queue, places, failover and health in one synchronous core.
 *
 * Pure: time comes in with each call, chance by the constructor, and it acts only through `Effects`. The gateway runs it
 * for real, the simulation runs it by the ten thousand.
 */
import {
  route,
  type Needs,
  type PassedOver,
  type Route,
  type RoutingTable,
  type Wish,
} from './candidates.ts';
import { nextHealth, type HealthEvent } from './health.ts';
import { CLASSES, type Priority } from './priority.ts';
import { Queue, type Bounds } from './queue.ts';
import { averaged, retryAfterS } from './service-rate.ts';
import type { Standing } from './standing.ts';

export interface Submission {
  /** Unlike that of any other request that hasn't ended. */
  id: string;
  wish: Wish;
  priority: Priority;
  /** Bytes that it holds while it waits. */
  bytes: number;
  /**
   * What a backend lost after its first token means: the end, a start from the beginning with another one since the
   * client hasn't seen any of it, or another one that goes on from what has been said and can do what `continuing` asks.
   */
  onLoss: 'end' | 'restart' | 'continue';
  continuing?: Needs | undefined;
}

/** A backend was chosen for a request, and holds a place for it until `finished`. */
export interface Choice {
  model: string;
  backend: Standing;
  fallback: boolean;
  /** Backends asked so far, this one included. */
  attempts: number;
  /** Milliseconds spent waiting for a place, all waits together. */
  queueMs: number;
}

export type Refusal =
  | { kind: 'unknown_model'; asked: string; known: string[] }
  | { kind: 'too_long'; model: string; passedOver: PassedOver[] }
  | { kind: 'no_backend'; model: string; passedOver: PassedOver[]; retryAfterS: number }
  /** No room in the queue, or (`waitedMs`) waited for as long as makes sense. */
  | { kind: 'queue_full'; waiting: number; waitedMs?: number; retryAfterS: number };

/** What the dispatcher has done. They are called when its state is settled, so they may call back. */
export interface Effects {
  start: (request: string, choice: Choice) => void;
  /** The request is over and forgotten: nobody answers it, or nobody goes on with it. */
  refuse: (request: string, refusal: Refusal) => void;
  /** Something that can be seen of a backend, or of the queue, is different. */
  changed: () => void;
}

interface Entry extends Submission {
  rank: number;
  attempts: number;
  /** Backends that have failed it, with the reason. */
  tried: Map<string, string>;
  /** Since when it waits, and what it had waited before. */
  since: number;
  waitedMs: number;
  /** Of that version of what is known. */
  route: { version: number; found: Route } | undefined;
  held: { backend: Standing; since: number; answered: boolean } | undefined;
}

export interface DispatcherOptions {
  effects: Effects;
  queue: Bounds;
  /** From 0 to 1, anew with each call. */
  chance: () => number;
}

/** All times are milliseconds on one monotonic clock. */
export class Dispatcher {
  readonly #effects: Effects;
  readonly #chance: () => number;
  readonly #queue: Queue<Entry>;
  readonly #requests = new Map<string, Entry>();
  #table: RoutingTable;
  /** Grows with all that may change a route. */
  #version = 0;
  #pending: (() => void)[] = [];
  #settling = false;

  constructor(table: RoutingTable, { effects, queue, chance }: DispatcherOptions) {
    this.#table = table;
    this.#effects = effects;
    this.#chance = chance;
    this.#queue = new Queue(queue);
  }

  get table(): RoutingTable {
    return this.#table;
  }

  /** Requests that wait for a place. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Requests that would go to that backend first if it had a place. */
  waitingFor(backend: Standing): number {
    return this.#queue.inOrder().filter((entry) => candidatesOf(entry)[0]?.backend === backend).length;
  }

  submit(submission: Submission, now: number): void {
    const entry: Entry = {
      ...submission,
      rank: now + CLASSES[submission.priority].behind,
      attempts: 0,
      tried: new Map(),
      since: now,
      waitedMs: 0,
      route: undefined,
      held: undefined,
    };
    this.#requests.set(entry.id, entry);
    this.#line(entry, now);
    this.#settle();
  }

  /** Its backend has said its first token. */
  answered(id: string, now: number): void {
    const held = this.#requests.get(id)?.held;
    if (held === undefined) return;
    held.answered = true;
    this.learn(held.backend, { kind: 'answered' }, now);
  }

  /**
   * Its backend has failed it, and `event` is what that says of the backend. True if the request goes on: another
   * `start` or a `refuse` follows. False if that was the end of it, because a part of the answer is out.
   */
  failed(id: string, event: HealthEvent & { reason: string }, now: number): boolean {
    const entry = this.#requests.get(id);
    if (entry?.held === undefined) return false;
    const { backend, answered } = entry.held;
    // First, or the place that comes free here would be given to the next one in line.
    this.#note(backend, event, now);
    this.#release(entry, now);
    const goesOn = !answered || entry.onLoss !== 'end';
    if (goesOn) {
      entry.tried.set(backend.id, event.reason);
      if (answered && entry.onLoss === 'continue') entry.wish = { ...entry.wish, needs: entry.continuing };
      entry.since = now;
      entry.route = undefined;
      this.#line(entry, now);
    } else this.#requests.delete(id);
    this.#news(now);
    return goesOn;
  }

  /** The request is over: answered, refused by its backend, or given up by its client, waiting or not. */
  finished(id: string, now: number): void {
    const entry = this.#requests.get(id);
    if (entry === undefined) return;
    this.#requests.delete(id);
    if (!this.#queue.remove(entry)) this.#release(entry, now);
    this.#schedule(now);
    this.#settle();
  }

  /** Something was learnt of a backend's health. */
  learn(backend: Standing, event: HealthEvent, now: number): void {
    this.#note(backend, event, now);
    this.#news(now);
  }

  /** Its engine has told of its load, its GPU of its heat, or its canary of its completions. */
  observe(backend: Standing, told: Partial<Pick<Standing, 'load' | 'heat' | 'fimFault'>>, now: number): void {
    Object.assign(backend, told);
    this.#version++;
    this.#news(now);
  }

  /** Sends it nothing new, and what waits for it elsewhere; null ends that. */
  cordon(backend: Standing, reason: string | null, now: number): void {
    backend.cordoned = reason;
    this.#version++;
    this.#news(now);
  }

  /** Goes over to other backends and models. What runs goes on where it is, and what waits is routed anew. */
  retable(table: RoutingTable, now: number): void {
    this.#table = table;
    this.#version++;
    this.#news(now);
  }

  /** To be called now and then while requests wait: patience ends, and so do deadlines. */
  tick(now: number): void {
    for (const entry of this.#queue.inOrder()) {
      const waitedMs = entry.waitedMs + now - entry.since;
      if (waitedMs < CLASSES[entry.priority].deadline) continue;
      const { found } = this.#routed(entry);
      this.#refuse(
        entry,
        found.kind === 'route' && found.candidates.length === 0
          ? noBackend(found, this.#table, now)
          : {
              kind: 'queue_full',
              waiting: this.#queue.length,
              waitedMs,
              retryAfterS: this.#retryAfter(entry),
            },
      );
    }
    this.#schedule(now);
    this.#settle();
  }

  #note(backend: Standing, event: HealthEvent, now: number): void {
    const before = backend.health;
    backend.health = nextHealth(before, event, now, this.#chance());
    if (before.phase !== backend.health.phase) this.#version++;
  }

  #line(entry: Entry, now: number): void {
    this.#queue.add(entry);
    this.#schedule(now);
    for (const last of this.#queue.overflow())
      this.#refuse(last, {
        kind: 'queue_full',
        waiting: this.#queue.length,
        retryAfterS: this.#retryAfter(last),
      });
  }

  /** Gives free places to whoever is first among those that may have them. */
  #schedule(now: number): void {
    for (const entry of this.#queue.inOrder()) {
      const { found } = this.#routed(entry);
      if (found.kind === 'unknown_model') this.#refuse(entry, found);
      else if (found.candidates.length === 0) {
        if (found.soon) continue;
        this.#refuse(
          entry,
          found.tooLong
            ? { kind: 'too_long', model: found.model, passedOver: found.passedOver }
            : noBackend(found, this.#table, now),
        );
      } else this.#place(entry, found, now);
    }
  }

  #place(entry: Entry, { model, candidates }: Route & { kind: 'route' }, now: number): void {
    const at = candidates.findIndex(({ backend }) => !backend.full);
    const candidate = candidates[at];
    if (candidate === undefined) return;
    // Whom a backend has failed already has waited enough.
    const patient = entry.attempts === 0 && now - entry.since < CLASSES[entry.priority].patience;
    if (at > 0 && patient) return;
    const { backend, fallback } = candidate;
    this.#queue.remove(entry);
    entry.waitedMs += now - entry.since;
    entry.attempts++;
    entry.held = { backend, since: now, answered: false };
    backend.inFlight++;
    const choice = { model, backend, fallback, attempts: entry.attempts, queueMs: entry.waitedMs };
    this.#pending.push(() => this.#effects.start(entry.id, choice));
  }

  #release(entry: Entry, now: number): void {
    if (entry.held === undefined) return;
    const { backend, since, answered } = entry.held;
    entry.held = undefined;
    backend.inFlight--;
    if (answered) backend.serviceMs = averaged(backend.serviceMs, now - since);
  }

  #routed(entry: Entry): { found: Route } {
    if (entry.route?.version !== this.#version)
      entry.route = { version: this.#version, found: route(this.#table, entry.wish, entry.tried) };
    return entry.route;
  }

  #refuse(entry: Entry, refusal: Refusal): void {
    this.#queue.remove(entry);
    this.#requests.delete(entry.id);
    this.#pending.push(() => this.#effects.refuse(entry.id, refusal));
  }

  #retryAfter(entry: Entry): number {
    const servers = candidatesOf(entry).map(({ backend: { config, serviceMs } }) => ({
      places: config.max_concurrency,
      serviceMs,
    }));
    return retryAfterS(this.#queue.length, servers);
  }

  #news(now: number): void {
    this.#schedule(now);
    this.#settle();
  }

  /** Effects run last and in order; one that calls back adds to the end of the line. */
  #settle(): void {
    if (this.#settling) return;
    this.#settling = true;
    try {
      for (let effect = this.#pending.shift(); effect !== undefined; effect = this.#pending.shift()) effect();
      this.#effects.changed();
    } finally {
      this.#settling = false;
    }
  }
}

function candidatesOf(entry: Entry): (Route & { kind: 'route' })['candidates'] {
  return entry.route?.found.kind === 'route' ? entry.route.found.candidates : [];
}

/** Seconds after which an unreachable backend may have been found alive again. */
const RETRY_AFTER_S = 2;

function noBackend(
  { model, passedOver }: Route & { kind: 'route' },
  table: RoutingTable,
  now: number,
): Refusal {
  const ids = new Set(passedOver.map((one) => one.backend));
  const next = table.backends
    .filter((backend) => ids.has(backend.id))
    .map(({ health }) => health.retryAt - now);
  const soonest = Math.min(...next.filter((ms) => ms > 0), Number.POSITIVE_INFINITY);
  return {
    kind: 'no_backend',
    model,
    passedOver,
    retryAfterS: Number.isFinite(soonest) ? Math.max(Math.ceil(soonest / 1_000), 1) : RETRY_AFTER_S,
  };
}
