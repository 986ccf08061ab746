/** "Where do I stand?": one answer, worked out purely from what is known of the agent and the bridge. */
import type { AgentStatus, ModelEntry, Problem } from '@hearth/protocol';
import type { Answer } from './bridge-client.ts';

/** `stopped`: it was there earlier in this session and is no more. */
export type AgentFact =
  { kind: 'unknown' } | { kind: 'absent' } | { kind: 'stopped' } | { kind: 'present'; status: AgentStatus };

/** The last answer shown to the user, with how long it took. */
type Answered = Answer & { firstTokenMs: number; totalMs: number };

export type BridgeFact =
  | { kind: 'untried' }
  | { kind: 'unreachable'; message: string }
  | { kind: 'unauthorised'; message: string }
  | { kind: 'reachable'; models: ModelEntry[]; answered?: Answered; trouble?: string };

/** `bridgeUrl` is the setting, for when there is no agent to say it; empty means nowhere. */
export type Facts = { agent: AgentFact; bridge: BridgeFact; bridgeUrl: string };

/** Through the agent (its tunnel, its token), or straight to an address with a key of the user's. */
export type Route =
  { kind: 'undecided' } | { kind: 'none' } | { kind: 'agent' } | { kind: 'direct'; url: string };

export type Standing =
  | { kind: 'nowhere' }
  | { kind: 'tunnelOff'; why: 'disconnected' | 'revoked' | 'agentStopped'; problem?: Problem }
  | { kind: 'connecting'; to: 'agent' | 'tunnel' | 'bridge'; again: boolean; problem?: Problem }
  | { kind: 'unauthorised'; via: 'agent' | 'direct'; message: string }
  | { kind: 'unreachable'; via: 'agent' | 'direct'; message: string; problem?: Problem }
  | {
      kind: 'ready';
      via: 'agent' | 'direct';
      models: ModelEntry[];
      answered?: Answered;
      /** What the bridge said instead of an answer, the last time it was asked. */
      trouble?: string;
      /** What the agent says is wrong with a tunnel that still carries. */
      problem?: Problem;
    };

/** An agent that isn't enrolled has no tunnel to offer: the setting counts, as if there were no agent. */
export function routeOf({ agent, bridgeUrl }: Facts): Route {
  if (agent.kind === 'unknown') return { kind: 'undecided' };
  if (agent.kind === 'stopped') return { kind: 'agent' };
  if (agent.kind === 'present' && agent.status.state !== 'unenrolled') return { kind: 'agent' };
  return bridgeUrl === '' ? { kind: 'none' } : { kind: 'direct', url: bridgeUrl };
}

/** Whether requests can go out on this route now. */
export function carries(facts: Facts): boolean {
  const route = routeOf(facts);
  if (route.kind === 'direct') return true;
  if (route.kind !== 'agent' || facts.agent.kind !== 'present') return false;
  return facts.agent.status.state === 'connected' || facts.agent.status.state === 'degraded';
}

export function whereDoIStand(facts: Facts): Standing {
  const route = routeOf(facts);
  if (route.kind === 'undecided') return { kind: 'connecting', to: 'agent', again: false };
  if (route.kind === 'none') return { kind: 'nowhere' };
  if (route.kind === 'direct') return bridgeStanding(facts.bridge, 'direct');
  if (facts.agent.kind !== 'present') return { kind: 'tunnelOff', why: 'agentStopped' };
  const { state, problem } = facts.agent.status;
  const said = problem === undefined ? {} : { problem };
  switch (state) {
    case 'connected':
    case 'degraded':
      return { ...bridgeStanding(facts.bridge, 'agent'), ...said };
    case 'connecting':
      return { kind: 'connecting', to: 'tunnel', again: false, ...said };
    case 'reconnecting':
      return { kind: 'connecting', to: 'tunnel', again: true, ...said };
    case 'revoked':
      return { kind: 'tunnelOff', why: 'revoked', ...said };
    case 'disconnected':
    case 'unenrolled':
      return { kind: 'tunnelOff', why: 'disconnected', ...said };
  }
}

function bridgeStanding(bridge: BridgeFact, via: 'agent' | 'direct'): Standing {
  switch (bridge.kind) {
    case 'untried':
      return { kind: 'connecting', to: 'bridge', again: false };
    case 'unauthorised':
      return { kind: 'unauthorised', via, message: bridge.message };
    case 'unreachable':
      return { kind: 'unreachable', via, message: bridge.message };
    case 'reachable': {
      const { models, answered, trouble } = bridge;
      return {
        kind: 'ready',
        via,
        models,
        ...(answered === undefined ? {} : { answered }),
        ...(trouble === undefined ? {} : { trouble }),
      };
    }
  }
}
