/** How a swap acts on the bridge's backends: through their runners, their standing, and the order of the models. */
import { performance } from 'node:perf_hooks';
import type { Backend } from '../backends/backend.ts';
import type { Fleet } from '../backends/fleet.ts';
import type { Dispatcher } from '../routing/dispatcher.ts';
import type { SwapPort } from './swapper.ts';

/** What a drained backend says of itself. */
export const DRAINING = 'it is drained: it finishes what runs and takes nothing new';

export class FleetPort implements SwapPort {
  readonly #fleet: Fleet;
  readonly #dispatcher: Dispatcher;

  constructor(fleet: Fleet, dispatcher: Dispatcher) {
    this.#fleet = fleet;
    this.#dispatcher = dispatcher;
  }

  async start(id: string, signal: AbortSignal): Promise<void> {
    await this.#fleet.startServer(this.#backend(id), signal);
  }

  async stop(id: string, signal: AbortSignal): Promise<void> {
    await this.#fleet.stopServer(this.#backend(id), signal);
  }

  async ready(id: string, signal: AbortSignal): Promise<void> {
    const backend = this.#backend(id);
    await this.#fleet.until(() => {
      const exit = this.#fleet.exitOf(backend);
      // It would be started again and again; for a swap one end is enough.
      if (exit !== undefined) throw new Error(`its server has ended: ${exit}`);
      return ['unproven', 'serving'].includes(backend.standing.health.phase);
    }, signal);
  }

  async canary(id: string, signal: AbortSignal): Promise<void> {
    const { standing } = this.#backend(id);
    await this.#fleet.until(() => {
      const { phase, reason } = standing.health;
      // Its server has gone again, or talks nonsense: waiting longer for the same would change nothing.
      if (phase === 'broken' || phase === 'stopped') throw new Error(`${id} did not prove itself: ${reason}`);
      return phase === 'serving';
    }, signal);
  }

  prefer(model: string, id: string): void {
    this.#fleet.prefer(model, id);
  }

  async drain(id: string, signal: AbortSignal): Promise<void> {
    const { standing } = this.#backend(id);
    this.#dispatcher.cordon(standing, DRAINING, performance.now());
    await this.#fleet.until(() => standing.inFlight === 0, signal);
  }

  resume(id: string): void {
    this.#dispatcher.cordon(this.#backend(id).standing, null, performance.now());
  }

  #backend(id: string): Backend {
    const backend = this.#fleet.get(id);
    if (backend === undefined) throw new Error(`${id} has left the configuration`);
    return backend;
  }
}
