/**
 * Watches every backend: asks its health check, reads its engine's counters, judges whether it gets on with its work,
 * and has it prove itself before it is trusted. A backend that is busy is never asked to infer.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { Agent, request } from 'undici';
import { SAMPLE_MARGIN, TOKEN_SAMPLE } from '../models/token-budget.ts';
import type { Dispatcher } from '../routing/dispatcher.ts';
import { stateOf, wantsProof, type HealthEvent } from '../routing/health.ts';
import { silence } from '../routing/pulse.ts';
import type { Backend, Server } from './backend.ts';
import type { EngineLoad } from './engines/engine.ts';
import { ENGINES } from './engines/engines.ts';
import { Proof } from './proof.ts';

export interface ProberOptions {
  log: Logger;
  dispatcher: Dispatcher;
  /** Its health check has answered. */
  onAnswer: (backend: Backend) => void;
  /** Milliseconds between two looks at a backend that serves, and at one that doesn't. */
  interval: number;
  eager: number;
  /** Milliseconds for one answer. */
  timeout: number;
}

/** Of a metrics page: vLLM's has some hundred kilobytes. */
const METRICS_LIMIT = 4 * 1024 * 1024;
/** A page of metrics that wasn't there is asked for again so much later: the server may be another by then. */
const METRICS_AGAIN_MS = 60_000;

const NOTHING_KNOWN: EngineLoad = {
  running: undefined,
  waiting: undefined,
  kvUse: undefined,
  progress: undefined,
  startedAt: undefined,
};

interface Watch {
  stop: AbortController;
  proof: Proof;
  /** Ends the pause between two looks. */
  wake: () => void;
  /** The engine's process, as it names it. */
  startedAt: number | undefined;
  metricsFrom: number;
  /** The server whose tokenizer has been asked. */
  measured: Server | undefined;
  /** Settles when its first look is over. */
  first: Promise<void>;
}

export class Prober {
  readonly #options: ProberOptions;
  readonly #agent = new Agent({ connections: 2, keepAliveTimeout: 1, connect: { timeout: 2_000 } });
  readonly #watches = new Map<Backend, Watch>();

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Watches these from now on and no others. Resolves when each of them has been looked at. */
  async watch(backends: Backend[]): Promise<void> {
    for (const [backend, { stop }] of this.#watches)
      if (!backends.includes(backend)) {
        stop.abort();
        this.#watches.delete(backend);
      }
    await Promise.all(backends.map((backend) => (this.#watches.get(backend) ?? this.#begin(backend)).first));
  }

  /** Looks at it now. */
  wake(backend: Backend): void {
    this.#watches.get(backend)?.wake();
  }

  async close(): Promise<void> {
    for (const { stop } of this.#watches.values()) stop.abort();
    this.#watches.clear();
    await this.#agent.destroy();
  }

  #begin(backend: Backend): Watch {
    const { promise: first, resolve } = Promise.withResolvers<void>();
    const watch: Watch = {
      stop: new AbortController(),
      proof: new Proof(backend),
      wake: () => {},
      startedAt: undefined,
      metricsFrom: 0,
      measured: undefined,
      first,
    };
    this.#watches.set(backend, watch);
    void this.#keepLooking(backend, watch, resolve);
    return watch;
  }

  async #keepLooking(backend: Backend, watch: Watch, afterFirst: () => void): Promise<void> {
    const { signal } = watch.stop;
    while (!signal.aborted) {
      const before = stateOf(backend.standing.health);
      try {
        await this.#look(backend, watch, signal);
      } catch (error) {
        // Of our own making: the backend isn't to blame, and the watch goes on.
        if (!signal.aborted)
          this.#options.log.error({ err: error, backend: backend.config.id }, 'probe failed');
      }
      afterFirst();
      const { health } = backend.standing;
      const state = stateOf(health);
      if (state !== before)
        this.#options.log.info({ backend: backend.config.id, state, reason: health.reason }, 'backend state');
      await this.#pause(watch, state === 'up' ? this.#options.interval : this.#options.eager);
    }
  }

  async #pause(watch: Watch, ms: number): Promise<void> {
    const early = new AbortController();
    watch.wake = () => early.abort();
    // An abort is the end of the pause, and no fault.
    await sleep(ms, undefined, { signal: AbortSignal.any([watch.stop.signal, early.signal]) }).catch(
      () => {},
    );
  }

  async #look(backend: Backend, watch: Watch, signal: AbortSignal): Promise<void> {
    const { server, standing } = backend;
    // Without a server there is an engine process that is starting or has failed; it reports for itself.
    if (server === undefined) return;
    const { dispatcher } = this.#options;
    const wasStopped = standing.health.phase === 'stopped';
    const event = await this.#checked(backend, server, signal);
    if (signal.aborted || backend.server !== server) return;
    // Stopped in the meantime: what answered was its last breath.
    if (!wasStopped && stateOf(standing.health) === 'stopped') return;
    // Tokens say more than a health check that is late because of them.
    if (event.kind === 'failed' && isLively(backend)) return;
    dispatcher.learn(standing, event, performance.now());
    if (event.kind !== 'reachable') return;
    this.#options.onAnswer(backend);

    const load = await this.#load(backend, server, watch, signal);
    if (signal.aborted || backend.server !== server) return;
    const progressed = this.#observe(backend, watch, load);

    const now = performance.now();
    const hung = silence(backend.pulse(), backend.config.timeouts, now);
    if (hung !== undefined) dispatcher.learn(standing, { kind: 'hung', reason: hung }, now);
    if (!wantsProof(standing.health)) return;
    if (backend.busy) {
      if (progressed) dispatcher.learn(standing, { kind: 'progressed' }, now);
      return;
    }
    const { event: proved, fimFault } = await watch.proof.ask(server, signal);
    if (signal.aborted || backend.server !== server) return;
    if (fimFault !== standing.fimFault) {
      dispatcher.observe(standing, { fimFault }, performance.now());
      if (fimFault !== null)
        this.#options.log.warn({ backend: backend.config.id, reason: fimFault }, 'no completions from it');
    }
    if (proved.kind === 'proved') await this.#measure(backend, server, watch, signal);
    if (signal.aborted || backend.server !== server) return;
    dispatcher.learn(standing, proved, performance.now());
  }

  /** Has its tokenizer count, once for each of its servers: what fits is judged by that from the first request on. */
  async #measure(backend: Backend, server: Server, watch: Watch, signal: AbortSignal): Promise<void> {
    const { tokenize } = ENGINES[backend.config.engine];
    if (tokenize === undefined || server.bytesPerToken !== undefined || watch.measured === server) return;
    watch.measured = server;
    try {
      const { statusCode, body } = await request(server.url + tokenize.path, {
        method: 'POST',
        dispatcher: this.#agent,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(tokenize.body(TOKEN_SAMPLE, server.model)),
        signal: AbortSignal.any([signal, AbortSignal.timeout(this.#options.timeout)]),
      });
      const count =
        statusCode === 200 ? tokenize.count(await body.json()) : await body.dump().then(() => undefined);
      if (count !== undefined && count > 0)
        backend.measured((Buffer.byteLength(TOKEN_SAMPLE) / count) * SAMPLE_MARGIN);
    } catch {
      // A server without a tokenizer to ask is judged by the usual size of tokens, and then by its replies.
    }
  }

  /** What its engine says of its load is passed on. True if its work has got on since the last time. */
  #observe(backend: Backend, watch: Watch, load: EngineLoad): boolean {
    const now = performance.now();
    const { dispatcher } = this.#options;
    const { startedAt, progress } = load;
    if (startedAt !== undefined) {
      if (watch.startedAt !== undefined && watch.startedAt !== startedAt)
        dispatcher.learn(backend.standing, { kind: 'restarted' }, now);
      watch.startedAt = startedAt;
    }
    dispatcher.observe(backend.standing, { load }, now);
    return backend.counted(progress, now);
  }

  async #checked(backend: Backend, server: Server, signal: AbortSignal): Promise<HealthEvent> {
    try {
      const { status } = await this.#get(server.url + ENGINES[backend.config.engine].healthPath, 0, signal);
      if (status === 200) return { kind: 'reachable' };
      return { kind: 'failed', reason: `its health check answers ${status}` };
    } catch (error) {
      const { code, name } = error as NodeJS.ErrnoException;
      if (code === 'ECONNREFUSED') return { kind: 'gone', reason: 'the connection was refused' };
      const reason =
        name === 'TimeoutError' ? 'its health check timed out' : `its health check failed (${code ?? name})`;
      return { kind: 'failed', reason };
    }
  }

  async #load(backend: Backend, server: Server, watch: Watch, signal: AbortSignal): Promise<EngineLoad> {
    const { metrics } = ENGINES[backend.config.engine];
    if (metrics === undefined || performance.now() < watch.metricsFrom) return NOTHING_KNOWN;
    try {
      const { status, text, headers } = await this.#get(server.url + metrics.path, METRICS_LIMIT, signal);
      if (status !== 200) watch.metricsFrom = performance.now() + METRICS_AGAIN_MS;
      // What was known before is old: to go on with it would make a busy engine of an idle one.
      return (status === 200 ? metrics.read(text, headers) : undefined) ?? NOTHING_KNOWN;
    } catch {
      // Its health check has just answered; that its counters didn't is no reason to give it up.
      return NOTHING_KNOWN;
    }
  }

  /** A body longer than the limit is an error; a limit of 0 means that nobody wants it. */
  async #get(url: string, limit: number, signal: AbortSignal) {
    // TensorRT-LLM waits up to two seconds for something to count (`get_stats_async(2)`).
    const timeout = limit === 0 ? this.#options.timeout : this.#options.timeout + 2_000;
    const { statusCode, body, headers } = await request(url, {
      dispatcher: this.#agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
    });
    if (limit === 0 || statusCode !== 200) {
      await body.dump();
      return { status: statusCode, text: '', headers };
    }
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of body) {
      parts.push(part as Buffer);
      bytes += (part as Buffer).length;
      if (bytes > limit) throw new Error(`${url} has more than ${limit} bytes`);
    }
    return { status: statusCode, text: Buffer.concat(parts).toString(), headers };
  }
}

function isLively(backend: Backend): boolean {
  const { decoding, movedAt } = backend.pulse();
  return decoding > 0 && performance.now() - movedAt < backend.config.timeouts.stall;
}
