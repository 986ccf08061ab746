/** What the bridge can be told to do while it runs, over its API or its control socket. */
import { performance } from 'node:perf_hooks';
import { HearthError, type DrainProgress, type ModelEntry, type SwapProgress } from '@hearth/protocol';
import type { Backend } from '../backends/backend.ts';
import type { Fleet } from '../backends/fleet.ts';
import type { Operations } from '../http/operations.ts';
import type { Dispatcher } from '../routing/dispatcher.ts';
import { DRAINING } from './fleet-port.ts';
import { planSwap } from './plan-swap.ts';
import type { Swapper } from './swapper.ts';

export interface LiveOperationsParts {
  fleet: Fleet;
  dispatcher: Dispatcher;
  swapper: Swapper;
  models: () => ModelEntry[];
}

export class LiveOperations implements Operations {
  readonly #parts: LiveOperationsParts;

  constructor(parts: LiveOperationsParts) {
    this.#parts = parts;
  }

  models(): ModelEntry[] {
    return this.#parts.models();
  }

  async *drain(id: string, signal: AbortSignal): AsyncGenerator<DrainProgress> {
    const { fleet, dispatcher } = this.#parts;
    const { standing } = this.#known(id);
    dispatcher.cordon(standing, DRAINING, performance.now());
    for (;;) {
      const [inFlight, queued] = [standing.inFlight, dispatcher.waitingFor(standing)];
      yield { in_flight: inFlight, queued };
      if (inFlight + queued === 0) return;
      await fleet.until(
        () => standing.inFlight !== inFlight || dispatcher.waitingFor(standing) !== queued,
        signal,
      );
    }
  }

  resume(id: string): void {
    this.#parts.dispatcher.cordon(this.#known(id).standing, null, performance.now());
  }

  swap(model: string, to: string): AsyncIterable<SwapProgress> {
    const { fleet, swapper } = this.#parts;
    this.#known(to);
    return swapper.swap(planSwap(model, to, fleet.table, fleet.gpus));
  }

  #known(id: string): Backend {
    const backend = this.#parts.fleet.get(id);
    if (backend !== undefined) return backend;
    const known = this.#parts.fleet.backends.map(({ config }) => config.id).join(', ');
    throw new HearthError('not_found', `There is no backend "${id}" here. Known: ${known}.`);
  }
}
