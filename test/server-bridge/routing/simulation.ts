/**
 * The dispatcher and the swap machine in a made-up world, on a made-up clock: backends that die, hang, fail and talk
 * nonsense, clients that come in bursts and leave, operators that drain, swap and reload. One seed is one schedule.
 */
import assert from 'node:assert/strict';
import { route, type RoutingTable } from '../../../server-bridge/src/routing/candidates.ts';
import {
  Dispatcher,
  type Choice,
  type Refusal,
  type Submission,
} from '../../../server-bridge/src/routing/dispatcher.ts';
import { wantsProof, type HealthEvent } from '../../../server-bridge/src/routing/health.ts';
import { CLASSES, PRIORITIES, type Priority } from '../../../server-bridge/src/routing/priority.ts';
import type { Standing } from '../../../server-bridge/src/routing/standing.ts';
import {
  beginSwap,
  stepSwap,
  type SwapEffect,
  type SwapEvent,
  type SwapState,
  type SwapStep,
} from '../../../server-bridge/src/lifecycle/swap.ts';
import { serving, standing } from './standings.ts';

/** mulberry32: small, quick, and the same everywhere. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Mood = 'well' | 'dead' | 'hung' | 'failing' | 'garbled';

interface World {
  standing: Standing;
  mood: Mood;
  /** Grows with each start of its process: what was begun before is gone. */
  life: number;
  proving: boolean;
}

interface Client extends Submission {
  arrivedAt: number;
  waitingSince: number;
  tried: Map<string, string>;
  asking: World | undefined;
  /** Backends whose words the client has seen. */
  seen: Set<string>;
  ended: string | undefined;
  attempt: number;
  answered: boolean;
}

export interface Scenario {
  seed: number;
  /** Backends die, hang, fail and talk nonsense. */
  faults: boolean;
  /** One swap under load. */
  swap: boolean;
}

export interface Report {
  answered: number;
  refused: number;
  lost: number;
  cancelled: number;
}

const REQUESTS = 24;
const QUEUE = 12;
/** Everything that goes wrong begins before this, and lasts for no more than twenty seconds. */
const TROUBLE_MS = 60_000;
/** By then the longest back-off has ended, too. */
const REST_MS = TROUBLE_MS + 80_000;
/** Nothing waits for longer than this, batches included. */
const END_MS = 800_000;
const FIRST_TOKEN_MS = 8_000;
const STALL_MS = 4_000;

/** Runs one schedule to its end and throws an AssertionError at the first invariant that doesn't hold. */
export function simulate({ seed, faults, swap }: Scenario): Report {
  return new Simulation(seed, faults, swap).run();
}

class Simulation {
  readonly #random: () => number;
  readonly #faults: boolean;
  readonly #swap: boolean;
  readonly #agenda: { at: number; order: number; act: () => void }[] = [];
  readonly #worlds: World[];
  readonly #clients = new Map<string, Client>();
  readonly #dispatcher: Dispatcher;
  readonly #report: Report = { answered: 0, refused: 0, lost: 0, cancelled: 0 };
  #models = [
    { id: 'coder', backends: ['a', 'b', 'light'] },
    { id: 'big', backends: ['b', 'light'] },
  ];
  #swapState: SwapState | undefined;
  #ticking = false;
  /** Clients that have come and are not through. */
  #open = 0;
  #now = 0;
  #order = 0;

  constructor(seed: number, faults: boolean, swap: boolean) {
    this.#random = randomOf(seed);
    this.#faults = faults;
    this.#swap = swap;
    const places = () => 1 + this.#below(3);
    const backends = [
      serving({ id: 'a', max_concurrency: places() }),
      serving({ id: 'b', max_concurrency: places() }),
      serving({ id: 'light', max_concurrency: places() }),
      standing({ id: 'new', max_concurrency: places() }),
    ];
    this.#worlds = backends.map((one) => ({ standing: one, mood: 'well', life: 0, proving: false }));
    const fresh = this.#world('new');
    fresh.mood = 'dead';
    fresh.standing.health = { ...fresh.standing.health, phase: 'stopped', reason: 'no model lists it' };
    this.#dispatcher = new Dispatcher(this.#table(), {
      effects: {
        start: (id, choice) => this.#started(id, choice),
        refuse: (id, refusal) => this.#refused(id, refusal),
        changed: () => {},
      },
      queue: { entries: QUEUE, bytes: 100 },
      chance: this.#random,
    });
  }

  run(): Report {
    for (let number = 0; number < REQUESTS; number++)
      this.#at(this.#below(TROUBLE_MS), () => this.#arrive(`r${number}`));
    for (const world of this.#worlds) this.#probe(world);
    if (this.#faults)
      for (let fault = this.#below(6); fault >= 0; fault--)
        this.#at(this.#below(TROUBLE_MS), () => this.#strike());
    if (this.#swap) this.#at(this.#below(TROUBLE_MS / 2), () => this.#beginSwap());
    else this.#at(this.#below(TROUBLE_MS), () => this.#drainForAWhile());
    this.#at(this.#below(TROUBLE_MS), () => this.#dispatcher.retable(this.#table(), this.#now));
    for (let next = this.#next(); next !== undefined && !this.#isOver(next.at); next = this.#next()) {
      this.#now = next.at;
      next.act();
      this.#check();
      this.#keepTicking();
    }
    this.#checkEnd();
    return this.#report;
  }

  // The agenda ---------------------------------------------------------------------------------------------------

  #at(at: number, act: () => void): void {
    const item = { at, order: this.#order++, act };
    let index = this.#agenda.length;
    while (index > 0 && later(this.#agenda[index - 1]!, item)) index--;
    this.#agenda.splice(index, 0, item);
  }

  #in(ms: number, act: () => void): void {
    this.#at(this.#now + ms, act);
  }

  #next() {
    return this.#agenda.shift();
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  // Clients ------------------------------------------------------------------------------------------------------

  #arrive(id: string): void {
    const priority = PRIORITIES[this.#below(3)] as Priority;
    const client: Client = {
      id,
      wish: {
        model: ['coder', 'coder', 'big', 'auto', 'light'][this.#below(5)],
        role: 'completion',
        fim: true,
        bytes: 0,
        answerTokens: 0,
      },
      priority,
      bytes: this.#below(20),
      onLoss: (['end', 'restart', 'continue'] as const)[this.#below(3)]!,
      arrivedAt: this.#now,
      waitingSince: this.#now,
      tried: new Map(),
      asking: undefined,
      seen: new Set(),
      ended: undefined,
      attempt: 0,
      answered: false,
    };
    this.#clients.set(id, client);
    this.#open++;
    if (this.#random() < 0.2)
      this.#in(this.#below(20_000), () => {
        if (client.ended !== undefined) return;
        this.#end(client, 'cancelled');
        this.#report.cancelled++;
        this.#dispatcher.finished(id, this.#now);
      });
    this.#dispatcher.submit(client, this.#now);
  }

  #end(client: Client, how: string): void {
    assert.equal(client.ended, undefined, `${client.id} ended twice: ${client.ended}, then ${how}`);
    client.ended = how;
    client.asking = undefined;
    this.#open--;
  }

  #refused(id: string, refusal: Refusal): void {
    const client = this.#client(id);
    assert.equal(client.asking, undefined, 'a running request was refused');
    this.#end(client, refusal.kind);
    this.#report[client.answered ? 'lost' : 'refused']++;
    if (!this.#faults && refusal.kind === 'no_backend')
      assert.fail(`nobody for ${id} although nothing is broken: ${JSON.stringify(refusal.passedOver)}`);
  }

  /** A backend was chosen: checks the choice, then acts out what the backend makes of it. */
  #started(id: string, { backend, attempts }: Choice): void {
    const client = this.#client(id);
    const world = this.#world(backend.id);
    assert.equal(client.ended, undefined, `${id} is asked for after its end`);
    assert.equal(client.asking, undefined, `${id} runs twice`);
    assert.equal(backend.health.phase, 'serving', `${backend.id} is not in service`);
    assert.equal(backend.cordoned, null, `${backend.id} is drained`);
    assert.ok(!client.tried.has(backend.id), `${id} goes to ${backend.id} again`);
    this.#nobodyIsPassed(client, backend);
    assert.equal(attempts, ++client.attempt);
    client.asking = world;

    const { life, mood } = world;
    const attempt = client.attempt;
    const still = () => client.asking === world && client.attempt === attempt;
    const fail = (ms: number, event: HealthEvent & { reason: string }) =>
      this.#in(ms, () => still() && this.#failed(client, world, event));
    if (mood === 'dead') return fail(1, { kind: 'gone', reason: 'refused' });
    if (mood === 'failing') return fail(this.#below(300), { kind: 'failed', reason: 'it answered 500' });
    if (mood === 'hung') return fail(FIRST_TOKEN_MS, { kind: 'hung', reason: 'no token' });
    this.#in(1 + this.#below(3_000), () => {
      if (!still()) return;
      if (world.life !== life) return this.#failed(client, world, { kind: 'failed', reason: 'reset' });
      if (world.mood === 'hung')
        return fail(STALL_MS, { kind: 'hung', reason: 'no token while requests run' });
      this.#firstToken(client, world);
      this.#in(1 + this.#below(6_000), () => {
        if (!still()) return;
        if (world.life !== life) return this.#failed(client, world, { kind: 'failed', reason: 'reset' });
        if (world.mood === 'hung') return fail(STALL_MS, { kind: 'hung', reason: 'no token' });
        this.#end(client, 'answered');
        this.#report.answered++;
        this.#dispatcher.finished(id, this.#now);
      });
    });
  }

  #firstToken(client: Client, world: World): void {
    client.answered = true;
    client.seen.add(world.standing.id);
    if (client.onLoss === 'end')
      assert.equal(client.seen.size, 1, `${client.id} is answered by two, spliced`);
    this.#dispatcher.answered(client.id, this.#now);
  }

  #failed(client: Client, { standing: { id } }: World, event: HealthEvent & { reason: string }): void {
    client.asking = undefined;
    client.tried.set(id, event.reason);
    client.waitingSince = this.#now;
    const out = client.answered && client.onLoss === 'end';
    // Before the dispatcher acts, since it may refuse the request in this very call.
    if (out) {
      this.#end(client, 'lost');
      this.#report.lost++;
    }
    const goesOn = this.#dispatcher.failed(client.id, event, this.#now);
    assert.equal(goesOn, !out, 'a request goes on exactly if nothing of its answer is out, or it may');
  }

  // Backends -----------------------------------------------------------------------------------------------------

  #strike(): void {
    const world = this.#worlds[this.#below(3)]!;
    const mood = (['dead', 'dead', 'hung', 'failing', 'garbled'] as const)[this.#below(5)]!;
    world.mood = mood;
    if (mood === 'dead') world.life++;
    this.#in(1 + this.#below(20_000), () => {
      if (mood === 'dead') world.life++;
      world.mood = 'well';
    });
  }

  /** As the prober does: health check, then a canary where one is due and nothing runs there. */
  #probe(world: World): void {
    const { standing: backend } = world;
    const again = () => this.#in(backend.health.phase === 'serving' ? 2_000 : 500, () => this.#probe(world));
    if (world.mood === 'dead') {
      this.#dispatcher.learn(backend, { kind: 'gone', reason: 'refused' }, this.#now);
      return again();
    }
    this.#dispatcher.learn(backend, { kind: 'reachable' }, this.#now);
    if (!wantsProof(backend.health)) return again();
    if (backend.inFlight > 0) {
      if (world.mood === 'well') this.#dispatcher.learn(backend, { kind: 'progressed' }, this.#now);
      return again();
    }
    assert.ok(!world.proving, 'two canaries at once');
    world.proving = true;
    const life = world.life;
    this.#in(world.mood === 'hung' ? FIRST_TOKEN_MS : 1 + this.#below(400), () => {
      world.proving = false;
      const event = ((): HealthEvent => {
        if (world.mood === 'dead' || world.life !== life) return { kind: 'gone', reason: 'refused' };
        if (world.mood === 'garbled') return { kind: 'unsound', reason: '"!!!!"' };
        return world.mood === 'well' ? { kind: 'proved' } : { kind: 'failed', reason: 'no token' };
      })();
      this.#dispatcher.learn(backend, event, this.#now);
      again();
    });
  }

  // Operators ----------------------------------------------------------------------------------------------------

  #drainForAWhile(): void {
    const backend = this.#worlds[this.#below(2)]!.standing;
    this.#dispatcher.cordon(backend, 'it is drained', this.#now);
    this.#in(this.#below(20_000), () => this.#dispatcher.cordon(backend, null, this.#now));
  }

  #beginSwap(): void {
    const together = (['yes', 'no', 'unknown'] as const)[this.#below(3)]!;
    const plan = { model: 'coder', from: 'a', to: 'new', start: true, stop: true, together, cover: 'b' };
    this.#follow(beginSwap(plan, this.#now));
  }

  #step(event: SwapEvent): void {
    if (this.#swapState === undefined) return;
    const step = stepSwap(this.#swapState, event);
    if (step.state !== this.#swapState) this.#follow(step);
  }

  #follow({ state, effects }: SwapStep): void {
    this.#swapState = state;
    for (const effect of effects) this.#do(effect);
    if (state.outcome === 'running')
      this.#at(state.deadline, () => this.#step({ kind: 'timer', at: this.#now }));
  }

  /** As the fleet does it, with answers that take their time. */
  #do(effect: SwapEffect): void {
    if (effect.kind === 'prefer') {
      this.#models = this.#models.map((model) =>
        model.id === effect.model
          ? { ...model, backends: [effect.backend, ...model.backends.filter((id) => id !== effect.backend)] }
          : model,
      );
      return this.#dispatcher.retable(this.#table(), this.#now);
    }
    const world = this.#world(effect.backend);
    const backend = world.standing;
    if (effect.kind === 'resume') return this.#dispatcher.cordon(backend, null, this.#now);
    const { number } = effect;
    const done = () => this.#step({ kind: 'done', number, at: this.#now });
    const poll = (holds: () => boolean) => {
      const look = () => {
        if (this.#swapState?.number !== number || this.#swapState.outcome !== 'running') return;
        if (holds()) done();
        else this.#in(50, look);
      };
      this.#in(0, look);
    };
    switch (effect.kind) {
      case 'start':
        return this.#in(100 + this.#below(5_000), () => {
          world.mood = 'well';
          world.life++;
          done();
        });
      case 'ready':
        return poll(() => ['unproven', 'serving'].includes(backend.health.phase));
      case 'canary':
        return poll(() => backend.health.phase === 'serving');
      case 'drain':
        this.#dispatcher.cordon(backend, 'it is drained', this.#now);
        return poll(() => backend.inFlight === 0);
      case 'stop':
        assert.equal(backend.inFlight, 0, `${backend.id} is stopped with requests in flight`);
        return this.#in(this.#below(1_000), () => {
          world.mood = 'dead';
          world.life++;
          this.#dispatcher.learn(backend, { kind: 'stopped', reason: 'stopped by a swap' }, this.#now);
          done();
        });
    }
  }

  // Invariants ---------------------------------------------------------------------------------------------------

  #check(): void {
    assert.ok(this.#dispatcher.waiting <= QUEUE, 'more wait than may');
    const open = [...this.#clients.values()].filter((one) => one.ended === undefined);
    const waiting = open.filter((one) => one.asking === undefined);
    assert.equal(this.#dispatcher.waiting, waiting.length, 'somebody is lost between the queue and a place');
    assert.ok(waiting.reduce((sum, { bytes }) => sum + bytes, 0) <= 100, 'more bytes wait than may');
    for (const { standing: backend } of this.#worlds) {
      const running = open.filter((one) => one.asking?.standing === backend).length;
      assert.equal(backend.inFlight, running, `${backend.id} counts wrong`);
      assert.ok(running <= backend.config.max_concurrency, `${backend.id} is over its places`);
    }
    for (const client of waiting) {
      const { deadline } = CLASSES[client.priority];
      assert.ok(this.#now - client.waitingSince <= deadline + 100, `${client.id} waits beyond its deadline`);
      const [first] = this.#candidatesOf(client);
      assert.ok(first === undefined || first.full, `${client.id} waits although ${first?.id} has a place`);
    }
  }

  /** Nobody who came before by rank, and could have had that place, is still waiting. */
  #nobodyIsPassed(client: Client, place: Standing): void {
    const rankOf = ({ arrivedAt, priority }: Client) => arrivedAt + CLASSES[priority].behind;
    for (const other of this.#clients.values()) {
      if (other === client || other.ended !== undefined || other.asking !== undefined) continue;
      if (rankOf(other) >= rankOf(client)) continue;
      const candidates = this.#candidatesOf(other);
      const patient =
        other.tried.size === 0 && this.#now - other.waitingSince < CLASSES[other.priority].patience;
      const would = patient ? candidates[0] === place : candidates.includes(place);
      assert.ok(!would, `${client.id} got ${place.id} before ${other.id}`);
    }
  }

  #candidatesOf(client: Client): Standing[] {
    const found = route(this.#dispatcher.table, client.wish, client.tried);
    return found.kind === 'route' ? found.candidates.map((one) => one.backend) : [];
  }

  #checkEnd(): void {
    for (const client of this.#clients.values())
      assert.notEqual(client.ended, undefined, `${client.id} was never answered nor refused`);
    assert.equal(this.#clients.size, REQUESTS);
    assert.ok(this.#swapState?.outcome !== 'running', 'the swap never ended');
    for (const { standing: backend, mood } of this.#worlds) {
      assert.equal(backend.inFlight, 0);
      if (mood !== 'dead')
        assert.equal(backend.health.phase, 'serving', `${backend.id} is well and its breaker is stuck`);
    }
    if (this.#faults) return;
    assert.equal(this.#report.lost, 0, 'an answer was lost although nothing is broken');
  }

  #isOver(at: number): boolean {
    if (at < REST_MS) return false;
    const busy = this.#open > 0 || this.#swapState?.outcome === 'running';
    return !busy || at > END_MS;
  }

  /** As the gateway does: only while somebody waits. */
  #keepTicking(): void {
    if (this.#ticking || this.#dispatcher.waiting === 0) return;
    this.#ticking = true;
    this.#in(50, () => {
      this.#ticking = false;
      this.#dispatcher.tick(this.#now);
    });
  }

  #table(): RoutingTable {
    return {
      backends: this.#worlds.map((one) => one.standing),
      models: this.#models,
      defaults: { completion: 'coder' },
    };
  }

  #world(id: string): World {
    return this.#worlds.find((one) => one.standing.id === id)!;
  }

  #client(id: string): Client {
    return this.#clients.get(id)!;
  }
}

const later = (a: { at: number; order: number }, b: { at: number; order: number }) =>
  a.at > b.at || (a.at === b.at && a.order > b.order);
