/** All backends of the configuration in force, and the way from one configuration to the next without losing a stream. */
import { isDeepStrictEqual } from 'node:util';
import type { EngineEvent } from '@hearth/engine-llama/events';
import type { BackendConfig } from '@hearth/protocol';
import type { Logger } from 'pino';
import type { RoutingTable } from '../routing/candidates.ts';
import { Backend } from './backend.ts';
import { EmbeddedEngine } from './embedded-engine.ts';

export interface FleetOptions {
  log: Logger;
  /** Called whenever a backend's status may have become another. */
  onChange: () => void;
  onEngineEvent?: ((backend: string, event: EngineEvent) => void) | undefined;
}

interface Member {
  backend: Backend;
  engine: EmbeddedEngine | undefined;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #retiring = new Set<Promise<void>>();
  #members = new Map<string, Member>();
  #table: RoutingTable;

  constructor(table: RoutingTable, options: FleetOptions) {
    this.#options = options;
    this.#table = table;
    this.#members = new Map(table.backends.map((config) => [config.id, this.#build(config)]));
  }

  get table(): RoutingTable {
    return this.#table;
  }

  /** In the order of the configuration. */
  get backends(): Backend[] {
    return Array.from(this.#members.values(), ({ backend }) => backend);
  }

  get(id: string): Backend | undefined {
    return this.#members.get(id)?.backend;
  }

  /** Starts the engines that are the bridge's own. */
  start(): void {
    for (const { engine } of this.#members.values()) engine?.start();
  }

  /**
   * Goes over to another table at once. A backend whose configuration is the same stays as it is, with its health and
   * its work; one that has changed or gone finishes what it runs and is then closed.
   */
  change(table: RoutingTable): void {
    const before = this.#members;
    this.#table = table;
    this.#members = new Map(
      table.backends.map((config) => {
        const same = before.get(config.id);
        if (same !== undefined && isDeepStrictEqual(same.backend.config, config)) return [config.id, same];
        const member = this.#build(config);
        member.engine?.start();
        return [config.id, member];
      }),
    );
    for (const [id, member] of before) if (this.#members.get(id) !== member) this.#retire(member);
    this.#options.onChange();
  }

  async close(): Promise<void> {
    await Promise.all([...Array.from(this.#members.values(), end), ...this.#retiring]);
  }

  #build(config: BackendConfig): Member {
    const { log, onChange, onEngineEvent: onEvent } = this.#options;
    const backend = new Backend(config, onChange);
    return {
      backend,
      engine: config.engine === 'embedded' ? new EmbeddedEngine(backend, { log, onEvent }) : undefined,
    };
  }

  #retire(member: Member): void {
    this.#options.log.info({ backend: member.backend.config.id }, 'backend retires');
    const retired = member.backend.slots
      .idle()
      .then(async () => await end(member))
      .finally(() => this.#retiring.delete(retired));
    this.#retiring.add(retired);
  }
}

async function end({ backend, engine }: Member): Promise<void> {
  await engine?.close();
  await backend.close();
}
