/**
 * Runs the state machine: carries its effects out on the ports, one at a time where they touch the interface, feeds
 * the outcomes back, and tells listeners of every change. It decides nothing itself.
 */
import type { AgentProfile } from '@hearth/protocol';
import type { Logger } from 'pino';
import { INITIAL, step } from './machine.ts';
import type { Effect, MachineState, TunnelEvent } from './machine.ts';
import type { Clock, Probe, Tunnel } from './ports.ts';

export interface SessionPorts {
  openTunnel: (profile: AgentProfile) => Tunnel;
  probe: Probe;
  clock: Clock;
  log: Logger;
}

/** A `TunnelEvent` before the clock has stamped it. */
type Unstamped<E = TunnelEvent> = E extends TunnelEvent ? Omit<E, 'at'> : never;

export class TunnelSession {
  readonly #ports: SessionPorts;
  readonly #listeners = new Set<() => void>();
  #state: MachineState = INITIAL;
  #since: number;
  /** What the next raising uses; the tunnel in use keeps the profile it was opened with. */
  #profile: AgentProfile | undefined;
  #open: { tunnel: Tunnel; profile: AgentProfile } | undefined;
  /** Ends what is under way on the present link. */
  #work = new AbortController();
  #raising: Promise<void> = Promise.resolve();
  #cancelTimer = () => {};

  constructor(ports: SessionPorts) {
    this.#ports = ports;
    this.#since = ports.clock.wall();
  }

  get state(): MachineState {
    return this.#state;
  }

  /** When the reported state was entered, milliseconds since 1970. */
  get since(): number {
    return this.#since;
  }

  /** Called after each change. Gives a function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts connecting and returns at once. One with this very profile goes on; one with another is replaced. */
  connect(profile: AgentProfile): void {
    const other = this.#state.wanted && this.#profile !== profile;
    this.#profile = profile;
    this.#dispatch({ kind: other ? 'replace' : 'connect' });
  }

  /** Reports `disconnected` at once; resolves when the interface is gone, or can't be removed for now. */
  async disconnect(): Promise<void> {
    this.#dispatch({ kind: 'disconnect' });
    if (this.#state.link !== 'lowering') return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const off = this.onChange(() => {
      if (this.#state.link !== 'lowering' || this.#state.problem !== null) resolve();
    });
    await promise.finally(off);
  }

  #dispatch(event: Unstamped): void {
    const before = this.#state;
    const { state, effects } = step(before, { ...event, at: this.#ports.clock.now() });
    this.#state = state;
    if (state.reported !== before.reported) {
      this.#since = this.#ports.clock.wall();
      this.#ports.log.info(
        { from: before.reported, to: state.reported, problem: state.problem?.code },
        'tunnel',
      );
    }
    for (const effect of effects) this.#perform(effect);
    if (state !== before) for (const listener of this.#listeners) listener();
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'raise':
        this.#cancelTimer();
        this.#work = new AbortController();
        this.#raising = this.#settle(this.#raise(effect.attempt, this.#work.signal));
        return;
      case 'lower':
        this.#work.abort();
        this.#cancelTimer();
        void this.#settle(this.#lower());
        return;
      case 'measure':
        void this.#settle(this.#measure(effect.attempt, this.#work.signal));
        return;
      case 'reset_endpoint':
        void this.#settle(this.#open?.tunnel.resetEndpoint(this.#work.signal));
        return;
      case 'wait':
        this.#cancelTimer();
        this.#cancelTimer = this.#ports.clock.after(effect.ms, () => this.#dispatch({ kind: 'timer' }));
        return;
    }
  }

  async #raise(attempt: number, signal: AbortSignal): Promise<void> {
    if (!this.#profile) throw new Error('a tunnel is raised without a profile');
    this.#open = { tunnel: this.#ports.openTunnel(this.#profile), profile: this.#profile };
    const result = await this.#open.tunnel.raise(signal);
    if (result.kind === 'raised') this.#dispatch({ kind: 'raised', attempt });
    else this.#dispatch({ kind: 'raise_failed', attempt, problem: result.problem, retry: result.retry });
  }

  async #lower(): Promise<void> {
    await this.#raising;
    const problem = (await this.#open?.tunnel.lower()) ?? null;
    if (problem) this.#dispatch({ kind: 'lower_failed', problem });
    else this.#dispatch({ kind: 'lowered' });
  }

  /** The counters are read after the answer, so that its bytes are in them. */
  async #measure(attempt: number, signal: AbortSignal): Promise<void> {
    if (!this.#open) return;
    const probe = await this.#ports.probe(this.#open.profile, signal);
    const peer = await this.#open.tunnel.read(signal);
    this.#dispatch({ kind: 'measured', attempt, peer, probe });
  }

  /** The ports answer with values; what still rejects was aborted by `lower`, or is a fault for the log. */
  async #settle(work: Promise<void> | undefined): Promise<void> {
    const { signal } = this.#work;
    try {
      await work;
    } catch (error) {
      if (!signal.aborted) this.#ports.log.error({ err: error }, 'tunnel work failed');
    }
  }
}
