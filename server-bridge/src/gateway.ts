/** Gets requests answered: runs what the dispatcher decides, and passes what backends say on to whoever asked. */
import { performance } from 'node:perf_hooks';
import { HearthError, type Role } from '@hearth/protocol';
import type { Logger } from 'pino';
import type { Backend, Server } from './backends/backend.ts';
import { carriesToken } from './backends/chunks.ts';
import { ENGINES } from './backends/engines/engines.ts';
import type { StreamEvent } from './backends/event-reader.ts';
import type { Fleet } from './backends/fleet.ts';
import type { End, Failure } from './backends/replies.ts';
import type { Running } from './backends/upstream.ts';
import { lost, refused } from './gateway-errors.ts';
import { Dispatcher, type Choice, type Refusal } from './routing/dispatcher.ts';
import type { HealthEvent } from './routing/health.ts';
import type { Priority } from './routing/priority.ts';
import { silence } from './routing/pulse.ts';

export interface Ask {
  model: string | undefined;
  role: Role;
  priority: Priority;
  /** `document`: one JSON reply of the backend, passed on as it is. */
  reply: 'stream' | 'document';
  path: string;
  /** It fills in the middle, so the backend must have a format for that. */
  fim: boolean;
  /** UTF-8 bytes of prompt that can't be left out, and tokens kept for the answer. */
  size: { bytes: number; answerTokens: number };
  /** Bytes that it holds while it waits. */
  held: number;
  /**
   * What to do when a backend is lost after its first token: end honestly; begin again, since the client hasn't seen
   * any of it; or go on with another backend from the text so far.
   */
  onLoss: 'end' | 'restart' | 'continue';
  /** The body for a backend, made only when that backend has been chosen; `said` is the text to go on from, or empty. */
  body: (backend: Backend, server: Server, said: Said) => Body;
}

type Body = Record<string, unknown>;

/** What a lost backend has said of the answer. */
export interface Said {
  text: string;
  tokens: number;
  /** Whether the text is all of it: thoughts and calls of tools aren't in it, and nobody can go on with those. */
  isText: boolean;
}

/** Who answers, and what that took. */
export interface Answered {
  model: string;
  backend: string;
  gpu: string | undefined;
  fallback: boolean;
  attempts: number;
  /** Milliseconds spent waiting for a free place. */
  queueMs: number;
}

export type Outcome =
  | { kind: 'done' }
  /** The backend says that the request is wrong. Comes without `opened`. */
  | { kind: 'refused'; by: Answered; status: number; body: string }
  | { kind: 'failed'; error: HearthError };

/** Where an answer goes. Called in order: `opened`, then `events` or one `document`, then `ended`, once and last. */
export interface Sink {
  /** Called again when another backend begins anew (`restart`) or goes on (`continue`). */
  opened: (by: Answered) => void;
  /** False: no more for now; `resume` says when. */
  events: (events: StreamEvent[]) => boolean;
  document: (text: string) => void;
  ended: (outcome: Outcome) => void;
}

/** A request that is being answered. */
export interface Answering {
  resume: () => void;
  /** Whoever asked has left, or wants it no more. The sink hears nothing after that. False if it was over already. */
  cancel: () => boolean;
}

const NOTHING_SAID: Said = { text: '', tokens: 0, isText: true };
/** Bytes of bodies that may wait for a place, all together. */
const QUEUE_BYTES = 64 * 1024 * 1024;
/** How often waiting requests are looked at for patience and deadlines. */
const TICK_MS = 50;
/** Seconds after which a bridge that shuts down has come back, or another took its place. */
const RETRY_AFTER_S = 2;

interface Request {
  ask: Ask;
  sink: Sink;
  said: Said;
  /** The loss that another backend is to make good. */
  lost: Failure | undefined;
  running: Running | undefined;
  /** Reads on at the backend that it holds. */
  resume: () => void;
  /** Gives up what it holds at a backend. */
  leave: () => void;
}

export class Gateway {
  readonly #fleet: Fleet;
  readonly #log: Logger;
  readonly #requests = new Map<string, Request>();
  readonly #onChange: () => void;
  readonly dispatcher: Dispatcher;
  #ticking: NodeJS.Timeout | undefined;
  #active = 0;
  #draining = false;
  #idle: (() => void) | undefined;

  constructor(fleet: Fleet, { queue, log, onChange }: { queue: number; log: Logger; onChange: () => void }) {
    this.#fleet = fleet;
    this.#log = log;
    this.#onChange = onChange;
    this.dispatcher = new Dispatcher(fleet.table, {
      effects: {
        start: (id, choice) => this.#start(id, choice),
        refuse: (id, refusal) => this.#refuse(id, refusal),
        changed: () => this.#changed(),
      },
      queue: { entries: queue, bytes: QUEUE_BYTES },
      chance: Math.random,
    });
  }

  /** The sink may hear of the outcome before this returns only if the request is refused at once. */
  answer(id: string, ask: Ask, sink: Sink): Answering {
    const request: Request = {
      ask,
      sink,
      said: { ...NOTHING_SAID },
      lost: undefined,
      running: undefined,
      resume: () => {},
      leave: () => {},
    };
    this.#requests.set(id, request);
    const { model, role, fim, size, priority, held, onLoss } = ask;
    this.dispatcher.submit(
      {
        id,
        wish: { model, role, fim, ...size },
        priority,
        bytes: held,
        onLoss,
        continuing: {
          of: ({ config }) =>
            request.said.isText && (role !== 'chat' || ENGINES[config.engine].continuesChat !== undefined),
          otherwise: "its engine can't go on with a begun answer",
        },
      },
      performance.now(),
    );
    return {
      resume: () => request.resume(),
      cancel: () => {
        if (this.#requests.get(id) !== request) return false;
        this.#forget(id, request);
        return true;
      },
    };
  }

  /** Counts a request as running until the returned function is called. Throws `draining` once nothing new is taken. */
  enter(): () => void {
    if (this.#draining)
      throw new HearthError('draining', 'The bridge is shutting down; ask again in a moment.', {
        retryAfterS: RETRY_AFTER_S,
      });
    this.#active++;
    return () => {
      this.#active--;
      if (this.#active === 0) this.#idle?.();
    };
  }

  /** Takes nothing new and resolves when everything running has ended. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#active === 0) return;
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
  }

  #start(id: string, { backend: standing, ...choice }: Choice): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    const { ask, sink } = request;
    const backend = this.#fleet.of(standing);
    const { server } = backend;
    if (server === undefined) {
      this.#failed(id, request, backend, { cause: 'gone', message: 'its engine is not running' });
      return;
    }
    const by: Answered = {
      model: choice.model,
      backend: standing.id,
      gpu: backend.config.gpu,
      fallback: choice.fallback,
      attempts: choice.attempts,
      queueMs: Math.round(choice.queueMs),
    };
    const stream = ask.reply === 'stream';
    const said = ask.onLoss === 'continue' ? request.said : NOTHING_SAID;
    const body = ask.body(backend, server, said);
    const text = JSON.stringify({ ...body, model: server.model, ...(stream && { stream: true }) });
    const since = performance.now();
    const end = (end: End) => this.#backendEnded(id, request, backend, end, by);
    const url = server.url + ask.path;
    const listener = {
      first: () => {
        const now = performance.now();
        backend.figures.firstToken(now - since);
        this.dispatcher.answered(id, now);
        sink.opened(by);
      },
      events: (events: StreamEvent[]) => this.#relay(request, backend, body, events),
      end,
    };
    const running = stream
      ? backend.upstream.stream(url, text, listener, typeof body.n === 'number' ? body.n : 1)
      : backend.upstream.document(url, text, {
          document: (document) => {
            const now = performance.now();
            backend.figures.firstToken(now - since);
            this.dispatcher.answered(id, now);
            sink.opened(by);
            sink.document(document);
          },
          end,
        });
    request.running = running;
    request.resume = () => {
      running.resume();
      // It couldn't get on while nobody read, and isn't to be blamed for that time.
      backend.moved(0, performance.now());
    };
    request.leave = () => {
      running.abort();
      backend.over(running);
      request.resume = () => {};
      request.leave = () => {};
    };
    backend.begun(running, since);
  }

  #relay(request: Request, backend: Backend, body: Body, events: StreamEvent[]): void {
    let tokens = 0;
    for (const { chunk } of events) {
      const said = textOf(chunk);
      if (carriesToken(chunk)) {
        tokens++;
        if (said === '') request.said.isText = false;
      }
      const asked = chunk.usage?.prompt_tokens;
      // A chat's messages are wrapped in its template, so only a raw prompt tells how large tokens are.
      if (asked !== undefined && typeof body.prompt === 'string')
        backend.used(Buffer.byteLength(body.prompt), asked);
      if (request.ask.onLoss === 'continue') request.said.text += said;
    }
    request.said.tokens += tokens;
    backend.moved(tokens, performance.now());
    if (!request.sink.events(events)) request.running?.pause();
  }

  #backendEnded(id: string, request: Request, backend: Backend, end: End, by: Answered): void {
    if (end.kind === 'failed') this.#failed(id, request, backend, end);
    // It can't go on with what another has begun; were the request itself wrong, that one would have said so.
    else if (end.kind === 'refused' && request.ask.onLoss === 'continue' && request.lost !== undefined)
      this.#end(id, request, { kind: 'failed', error: lost(request.lost) });
    else this.#end(id, request, end.kind === 'refused' ? { ...end, by } : end);
  }

  #failed(id: string, request: Request, backend: Backend, failure: Failure): void {
    const now = performance.now();
    // Judged while the request still counts as running there.
    const event = healthEvent(backend, failure, now);
    request.leave();
    this.#log.warn({ request: id, backend: backend.config.id, reason: failure.message }, 'backend failed');
    request.lost = request.said.tokens > 0 ? failure : request.lost;
    if (this.dispatcher.failed(id, event, now)) return;
    this.#requests.delete(id);
    request.sink.ended({ kind: 'failed', error: lost(failure) });
  }

  #refuse(id: string, refusal: Refusal): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    // A part of the answer is out, and nobody can go on with it: that is what happened, and not that nobody was there.
    const error = request.lost === undefined ? refused(refusal) : lost(request.lost);
    request.sink.ended({ kind: 'failed', error });
  }

  #end(id: string, request: Request, outcome: Outcome): void {
    this.#forget(id, request);
    request.sink.ended(outcome);
  }

  #forget(id: string, request: Request): void {
    this.#requests.delete(id);
    request.leave();
    this.dispatcher.finished(id, performance.now());
  }

  #changed(): void {
    this.#onChange();
    if (this.dispatcher.waiting === 0) {
      clearInterval(this.#ticking);
      this.#ticking = undefined;
    } else this.#ticking ??= setInterval(() => this.dispatcher.tick(performance.now()), TICK_MS);
  }
}

/** What a failed request says of its backend. */
function healthEvent(
  backend: Backend,
  { cause, message: reason }: Failure,
  now: number,
): HealthEvent & { reason: string } {
  if (cause === 'gone') return { kind: 'gone', reason };
  const hung = cause === 'timeout' ? silence(backend.pulse(), backend.config.timeouts, now) : undefined;
  return hung === undefined ? { kind: 'failed', reason } : { kind: 'hung', reason: hung };
}

function textOf({ choices }: StreamEvent['chunk']): string {
  const [choice] = choices ?? [];
  return choice?.text ?? choice?.delta?.content ?? '';
}
