/** The extension's one connection: follows the agent, looks after the bridge, answers "where do I stand?" and carries requests. */
import type { ModelEntry } from '@hearth/protocol';
import type { Log } from '../log.ts';
import type { AgentClient, AgentReply } from './agent-client.ts';
import type {
  Access,
  BridgeClient,
  BridgeFailure,
  CompletionBody,
  CompletionReply,
} from './bridge-client.ts';
import type { Credentials } from './credentials.ts';
import type { Fault } from './fault.ts';
import { contradicts } from './freshness.ts';
import { carries, routeOf, whereDoIStand } from './standing.ts';
import type { AgentFact, BridgeFact, Facts, Route, Standing } from './standing.ts';

/** Milliseconds. */
const AGENT_RETRY = { first: 250, most: 5_000 };
const BRIDGE_RETRY = { first: 1_000, most: 15_000 };
const BRIDGE_LOOK = 10_000;

export type ConnectionParts = {
  /** Undefined where no agent can be on this platform without a setting. */
  agent: AgentClient | undefined;
  bridge: BridgeClient;
  credentials: Credentials;
  bridgeUrl: string;
  log: Log;
  /** Resolves after the time, or at once when the signal is aborted. */
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
};

/**
 * Starts working when made; `dispose` ends everything, requests included. Listeners are called after each change of
 * the standing and must not throw.
 */
export class Connection {
  readonly #parts: ConnectionParts;
  readonly #end = new AbortController();
  readonly #listeners = new Set<() => void>();
  #facts: Facts;
  /** Aborted and replaced whenever the ways to the bridge change: requests in flight end with it. */
  #path = new AbortController();

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#facts = {
      agent: parts.agent === undefined ? { kind: 'absent' } : { kind: 'unknown' },
      bridge: { kind: 'untried' },
      bridgeUrl: parts.bridgeUrl,
    };
    if (parts.agent !== undefined) void this.#followAgent(parts.agent);
    if (carries(this.#facts)) void this.#watchBridge(this.#path.signal);
  }

  get standing(): Standing {
    return whereDoIStand(this.#facts);
  }

  /** What the agent last said of itself, while it is there. */
  get agentStatus() {
    return this.#facts.agent.kind === 'present' ? this.#facts.agent.status : undefined;
  }

  get route(): Route {
    return routeOf(this.#facts);
  }

  onDidChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Asks for one completion, once a good list of models was seen on this path. Its outcome shows in the standing. */
  async complete(body: CompletionBody, signal: AbortSignal): Promise<CompletionReply> {
    if (this.#facts.bridge.kind !== 'reachable') return { kind: 'cancelled' };
    const path = this.#path.signal;
    const reply = await this.#send(signal, (access, both) => this.#parts.bridge.complete(access, body, both));
    if (path.aborted) return reply;
    if (reply.kind !== 'ok') this.#noteCompletion(reply, body.model);
    else if (this.#facts.bridge.kind === 'reachable') {
      const { answer, firstTokenMs, totalMs } = reply;
      const answered = { ...answer, asked: body.model, firstTokenMs, totalMs };
      this.#setBridge({ kind: 'reachable', models: this.#facts.bridge.models, answered });
    }
    return reply;
  }

  /** The models to choose from, asked afresh. */
  async models(signal: AbortSignal): Promise<{ kind: 'ok'; models: ModelEntry[] } | BridgeFailure> {
    const reply = await this.#send(signal, (access, both) => this.#parts.bridge.models(access, both));
    if (reply.kind === 'ok') this.#noteModels(reply.models);
    else this.#noteNoModels(reply);
    return reply;
  }

  /**
   * Brings the tunnel up. Where there is none to bring up, no agent or one that isn't enrolled, tries the bridge at
   * the address set, now.
   */
  async connect(signal: AbortSignal): Promise<AgentReply<unknown> | BridgeFailure> {
    const { agent } = this.#parts;
    if (agent !== undefined) {
      const reply = await agent.connect(AbortSignal.any([signal, this.#end.signal]));
      if (reply.kind === 'ok') {
        // Already connected: what's left to try is the bridge. Otherwise the events tell how it goes on.
        if (this.route.kind !== 'agent' || !carries(this.#facts) || this.standing.kind === 'ready')
          return reply;
      } else {
        const none = reply.kind === 'absent' || (reply.kind === 'failed' && reply.code === 'not_enrolled');
        if (!none || this.route.kind !== 'direct') return reply;
      }
    } else if (this.route.kind !== 'direct')
      return { kind: 'failed', code: 'nowhere', message: 'there is no bridge to call' };
    this.#parts.credentials.forget();
    const models = await this.models(signal);
    return models.kind === 'ok' ? { kind: 'ok', value: undefined } : models;
  }

  /** Takes the tunnel down; undefined when there is no agent that could. */
  async disconnect(signal: AbortSignal): Promise<AgentReply<unknown> | undefined> {
    const { agent } = this.#parts;
    if (agent === undefined || routeOf(this.#facts).kind !== 'agent') return undefined;
    return agent.disconnect(AbortSignal.any([signal, this.#end.signal]));
  }

  /** The user's key changed: what was refused is tried again. */
  keyChanged(): void {
    this.#parts.credentials.forget();
    this.#renewPath();
  }

  [Symbol.dispose](): void {
    this.#listeners.clear();
    this.#end.abort();
    this.#path.abort();
  }

  /** Sends on the present route; after a 401 with the agent's token once more with a fresh one. */
  async #send<T extends { kind: string }>(
    signal: AbortSignal,
    call: (access: Access, signal: AbortSignal) => Promise<T | BridgeFailure>,
  ): Promise<T | BridgeFailure> {
    const route = routeOf(this.#facts);
    if (!carries(this.#facts)) return { kind: 'cancelled' };
    const both = AbortSignal.any([signal, this.#path.signal]);
    for (let attempt = 1; ; attempt++) {
      const got = await this.#parts.credentials.access(route, both, attempt === 2);
      if (got.kind !== 'ok') return got;
      const reply = await call(got.access, both);
      if (both.aborted) return { kind: 'cancelled' };
      if (reply.kind !== 'unauthorised' || route.kind !== 'agent' || attempt === 2) return reply;
    }
  }

  async #followAgent(agent: AgentClient): Promise<void> {
    let retry = AGENT_RETRY.first;
    let found = false;
    while (!this.#end.signal.aborted) {
      const end = await agent.events(this.#end.signal, (status) => {
        if (!found) this.#parts.log.info(`agent found at ${agent.socketPath}`);
        found = true;
        retry = AGENT_RETRY.first;
        this.#setAgent({ kind: 'present', status });
      });
      if (this.#end.signal.aborted) return;
      if (end.kind === 'failed') this.#parts.log.warn(`agent: ${end.message}`);
      if (end.kind !== 'ended') this.#setAgent(this.#withoutAgent());
      await this.#parts.wait(retry, this.#end.signal);
      retry = Math.min(retry * 2, AGENT_RETRY.most);
    }
  }

  /** Only an agent that had a tunnel to offer is missed: the setting must not take the place of a tunnel. */
  #withoutAgent(): AgentFact {
    const { agent } = this.#facts;
    const had = agent.kind === 'present' ? agent.status.state !== 'unenrolled' : agent.kind === 'stopped';
    return { kind: had ? 'stopped' : 'absent' };
  }

  /** Looks at the bridge now and then, so that a change shows without a keystroke; sooner and backing off while it fails. */
  async #watchBridge(path: AbortSignal): Promise<void> {
    let retry = BRIDGE_RETRY.first;
    while (!path.aborted) {
      await this.models(path);
      if (this.#facts.bridge.kind === 'reachable') {
        retry = BRIDGE_RETRY.first;
        await this.#parts.wait(BRIDGE_LOOK, path);
      } else {
        await this.#parts.wait(retry, path);
        retry = Math.min(retry * 2, BRIDGE_RETRY.most);
      }
    }
  }

  #renewPath(): void {
    this.#path.abort();
    this.#path = new AbortController();
    this.#facts = { ...this.#facts, bridge: { kind: 'untried' } };
    this.#changed();
    if (carries(this.#facts)) void this.#watchBridge(this.#path.signal);
  }

  #setAgent(agent: AgentFact): void {
    const before = this.#way();
    this.#facts = { ...this.#facts, agent };
    if (this.#way() === before) this.#changed();
    else {
      this.#parts.log.info(`agent ${agent.kind === 'present' ? agent.status.state : agent.kind}`);
      this.#parts.credentials.forget();
      this.#renewPath();
    }
  }

  /** What requests in flight depend on, as one comparable value. */
  #way(): string {
    return JSON.stringify([routeOf(this.#facts), carries(this.#facts), this.agentStatus?.bridge_url]);
  }

  /** A bridge that was seen to be one may refuse its list for a moment; nobody becomes one by refusing it. */
  #noteNoModels(failure: BridgeFailure): void {
    if (failure.kind === 'cancelled') return;
    if (failure.kind !== 'refused') this.#lose(failure.kind, failure);
    else if (failure.code === 'not_a_bridge') this.#lose('notABridge', failure);
    else if (this.#facts.bridge.kind !== 'reachable') this.#lose('unreachable', failure);
  }

  #noteCompletion(failure: BridgeFailure, asked: string): void {
    const { bridge } = this.#facts;
    if (failure.kind === 'cancelled' || bridge.kind !== 'reachable') return;
    if (failure.kind !== 'refused') return this.#lose(failure.kind, failure);
    if (failure.code === 'not_a_bridge') return this.#lose('notABridge', failure);
    const { code, message } = failure;
    this.#parts.log.warn(`bridge refused a completion: ${message}`);
    this.#setBridge({ ...bridge, trouble: { code, message, asked } });
  }

  #lose(kind: 'unreachable' | 'unauthorised' | 'notABridge', { code, message }: Fault): void {
    const { bridge } = this.#facts;
    if (bridge.kind !== kind || bridge.message !== message)
      this.#parts.log.warn(`bridge ${kind}: ${message}`);
    this.#setBridge({ kind, code, message });
  }

  #noteModels(models: ModelEntry[]): void {
    const { bridge } = this.#facts;
    // A trouble of the last completion is not carried on: what lasts shows in the models' states.
    const answered = bridge.kind === 'reachable' ? bridge.answered : undefined;
    const keep = answered !== undefined && !contradicts(models, answered);
    this.#setBridge({ kind: 'reachable', models, ...(keep ? { answered } : {}) });
  }

  #setBridge(bridge: BridgeFact): void {
    const was = this.#facts.bridge.kind;
    if (was !== bridge.kind) this.#parts.log.info(`bridge ${bridge.kind}`);
    this.#facts = { ...this.#facts, bridge };
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
