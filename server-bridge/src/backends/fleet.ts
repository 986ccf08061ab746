/** All backends of the configuration in force, and the way from one configuration to the next without losing a stream. */
import { isDeepStrictEqual } from 'node:util';
import type { EngineEvent } from '@hearth/engine-llama/events';
import type { BackendConfig, BridgeConfig, GpuConfig, ModelConfig } from '@hearth/protocol';
import type { Logger } from 'pino';
import { makeRunner } from '../lifecycle/runners/make-runner.ts';
import type { Runner } from '../lifecycle/runners/runner.ts';
import { fitTogether } from '../models/plan/memory-needed.ts';
import type { RoutingTable } from '../routing/candidates.ts';
import type { Standing } from '../routing/standing.ts';
import { Backend, type BackendListener } from './backend.ts';
import { EmbeddedEngine } from './embedded-engine.ts';

export interface FleetOptions {
  log: Logger;
  listener: BackendListener;
  onEngineEvent?: ((backend: string, event: EngineEvent) => void) | undefined;
  /** The routing table is another: to be put in force at once. */
  onTable: (table: RoutingTable) => void;
}

type Configured = Pick<BridgeConfig, 'backends' | 'models' | 'defaults' | 'gpus'>;

interface Member {
  backend: Backend;
  engine: EmbeddedEngine | undefined;
  runner: Runner;
}

interface Waiter {
  /** True once what is waited for has come; throws if it never will. */
  check: () => boolean;
  resolve: () => void;
  reject: (error: Error) => void;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #byStanding = new WeakMap<Standing, Backend>();
  readonly #retiring = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #waiting = new Set<Waiter>();
  /** Those whose runner has been told to start them. */
  readonly #started = new WeakSet<Backend>();
  /** Why its server has ended since it was started. */
  readonly #exits = new WeakMap<Backend, string>();
  #configured: Configured;
  #members: Map<string, Member>;
  #table: RoutingTable;

  constructor(configured: Configured, options: FleetOptions) {
    this.#options = options;
    this.#configured = configured;
    this.#members = new Map(configured.backends.map((config) => [config.id, this.#build(config)]));
    this.#table = this.#tableOf(configured.models);
  }

  get table(): RoutingTable {
    return this.#table;
  }

  get gpus(): GpuConfig[] {
    return this.#configured.gpus;
  }

  /** In the order of the configuration. */
  get backends(): Backend[] {
    return Array.from(this.#members.values(), ({ backend }) => backend);
  }

  get(id: string): Backend | undefined {
    return this.#members.get(id)?.backend;
  }

  /** Whose standing that is, also after it has left the configuration. */
  of(standing: Standing): Backend {
    const backend = this.#byStanding.get(standing);
    if (backend === undefined) throw new Error(`the standing of ${standing.id} is nobody's`);
    return backend;
  }

  /** Starts what is the bridge's to start: embedded engines, and the servers that have a runner, as far as they fit. */
  start(): void {
    this.#startMembers([...this.#members.values()]);
  }

  /**
   * Goes over to another configuration at once. A backend whose configuration is the same stays as it is, with its
   * health and its work; one that has changed or gone finishes what it runs and is then closed. What a swap has changed
   * stays, unless the model's list in the configuration is another.
   */
  change(configured: Configured): void {
    const before = this.#members;
    const models = configured.models.map((model) => {
      const was = this.#configured.models.find((one) => one.id === model.id);
      const now = this.#table.models.find((one) => one.id === model.id);
      const kept = isDeepStrictEqual(was?.backends, model.backends) ? now?.backends : undefined;
      return kept === undefined ? model : { ...model, backends: kept };
    });
    const fresh: Member[] = [];
    this.#configured = configured;
    this.#members = new Map(
      configured.backends.map((config) => {
        const same = before.get(config.id);
        if (same !== undefined && isDeepStrictEqual(same.backend.config, config)) return [config.id, same];
        const member = this.#build(config);
        fresh.push(member);
        return [config.id, member];
      }),
    );
    this.#put(this.#tableOf(models));
    const ends = new Map<string, Promise<void>>();
    for (const [id, member] of before)
      if (this.#members.get(id) !== member) ends.set(id, this.#retire(member));
    // What takes a backend's place may need its port and its memory.
    for (const member of fresh) {
      const predecessor = ends.get(member.backend.config.id);
      if (predecessor === undefined) this.#startMembers([member]);
      else void predecessor.then(() => this.#startMembers([member]));
    }
  }

  /** From now on the model prefers that backend; the others keep their order behind it. */
  prefer(model: string, backend: string): void {
    const preferring = (one: ModelConfig): ModelConfig => ({
      ...one,
      backends: [backend, ...one.backends.filter((id) => id !== backend)],
    });
    this.#put(this.#tableOf(this.#table.models.map((one) => (one.id === model ? preferring(one) : one))));
  }

  /** By its runner; resolves when it is started, not when it answers. */
  async startServer(backend: Backend, signal: AbortSignal): Promise<void> {
    this.#exits.delete(backend);
    await this.#runnerOf(backend).start(signal);
    if (backend.standing.health.phase === 'stopped')
      backend.learn({ kind: 'stopped', reason: 'its server is starting' });
  }

  /** Why its server has ended by itself since it was last started; undefined if it hasn't, or isn't a child of ours. */
  exitOf(backend: Backend): string | undefined {
    return this.#exits.get(backend);
  }

  async stopServer(backend: Backend, signal: AbortSignal): Promise<void> {
    await this.#runnerOf(backend).stop(signal);
    backend.learn({ kind: 'stopped', reason: 'its server has been stopped' });
  }

  /** A backend's health check has answered. */
  answered(backend: Backend): void {
    this.#members.get(backend.config.id)?.runner.answered();
  }

  /** Resolves when the check holds, which is looked at on each change. Rejects with what it throws, or the signal's reason. */
  async until(check: () => boolean, signal?: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([this.#closing.signal, ...(signal === undefined ? [] : [signal])]);
    ended.throwIfAborted();
    if (check()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter = { check, resolve, reject };
    const leave = () => reject(ended.reason as Error);
    this.#waiting.add(waiter);
    ended.addEventListener('abort', leave, { once: true });
    await promise.finally(() => {
      this.#waiting.delete(waiter);
      ended.removeEventListener('abort', leave);
    });
  }

  /** Something may be different now: whoever waits looks again. */
  noticed(): void {
    for (const { check, resolve, reject } of this.#waiting) {
      try {
        if (check()) resolve();
      } catch (error) {
        reject(error as Error);
      }
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the bridge is closing'));
    await Promise.all([...Array.from(this.#members.values(), end), ...this.#retiring]);
  }

  #put(table: RoutingTable): void {
    this.#table = table;
    this.#options.onTable(table);
  }

  #tableOf(models: ModelConfig[]): RoutingTable {
    return {
      backends: this.backends.map(({ standing }) => standing),
      models,
      defaults: this.#configured.defaults,
    };
  }

  #build(config: BackendConfig): Member {
    const { log, listener, onEngineEvent: onEvent } = this.#options;
    const backend = new Backend(config, listener);
    this.#byStanding.set(backend.standing, backend);
    return {
      backend,
      engine: config.engine === 'embedded' ? new EmbeddedEngine(backend, { log, onEvent }) : undefined,
      runner: makeRunner(config.runner, {
        backend: config.id,
        log,
        onExit: ({ reason }) => {
          this.#exits.set(backend, reason);
          backend.learn({ kind: 'gone', reason });
        },
      }),
    };
  }

  #startMembers(members: Member[]): void {
    for (const { backend, engine } of members) {
      engine?.start();
      if (backend.config.runner.kind === 'none') continue;
      const reason = this.#reasonNotToStart(backend);
      if (reason === undefined) void this.#startListed(backend);
      else backend.learn({ kind: 'stopped', reason });
    }
  }

  async #startListed(backend: Backend): Promise<void> {
    this.#started.add(backend);
    try {
      await this.startServer(backend, this.#closing.signal);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const reason = `its server could not be started: ${(error as Error).message}`;
      this.#options.log.error({ backend: backend.config.id, reason }, 'runner failed');
      backend.learn({ kind: 'stopped', reason });
    }
  }

  /** Of those that a card can't hold together, the first to be started has it. */
  #reasonNotToStart({ config }: Backend): string | undefined {
    const swap = `"hearth-bridge models swap MODEL --to ${config.id}"`;
    if (!this.#table.models.some((model) => model.backends.includes(config.id)))
      return `no model lists it; ${swap} starts it`;
    const gpu = this.gpus.find((one) => one.id === config.gpu);
    if (gpu === undefined) return undefined;
    const holders = this.backends
      .filter((one) => this.#started.has(one) && one.standing.health.phase !== 'stopped')
      .map((one) => one.config)
      .filter((one) => one.gpu === gpu.id && one.id !== config.id);
    if (holders.length === 0 || fitTogether([...holders, config], gpu) !== 'no') return undefined;
    const names = holders.map(({ id }) => id).join(' and ');
    return `${gpu.id} can't hold it together with ${names}; ${swap} changes over`;
  }

  #runnerOf({ config }: Backend): Runner {
    const member = this.#members.get(config.id);
    if (member === undefined) throw new Error(`${config.id} has left the configuration`);
    return member.runner;
  }

  async #retire(member: Member): Promise<void> {
    const { backend } = member;
    this.#options.log.info({ backend: backend.config.id }, 'backend retires');
    const retired = this.until(() => backend.standing.inFlight === 0)
      // When the bridge closes, it doesn't wait any longer.
      .catch(() => {})
      .then(async () => await end(member))
      .finally(() => this.#retiring.delete(retired));
    this.#retiring.add(retired);
    await retired;
  }
}

async function end({ backend, engine, runner }: Member): Promise<void> {
  await Promise.all([engine?.close(), runner.close()]);
  await backend.close();
}
