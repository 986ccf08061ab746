/** "Where do I stand?": one answer, worked out purely from what is known of the agent and the bridge. */
import type { AgentStatus, ModelEntry, Problem } from '@hearth/protocol';
import type { Answer } from './bridge-client.ts';
import type { Fault } from './fault.ts';

/** `stopped`: it was there earlier in this session, enrolled, and is no more. */
export type AgentFact =
  { kind: 'unknown' } | { kind: 'absent' } | { kind: 'stopped' } | { kind: 'present'; status: AgentStatus };

/** The last answer, with how long it took; `asked`: the model setting that it answers to. */
export type Answered = Answer & { asked: string; firstTokenMs: number; totalMs: number };

/** What the bridge said instead of an answer. */
type Trouble = Fault & { asked: string };

/** `reachable` only by a good list of models: a web server that happens to listen there must not get code. */
export type BridgeFact =
  | { kind: 'untried' }
  | ({ kind: 'unreachable' | 'unauthorised' | 'notABridge' } & Fault)
  | { kind: 'reachable'; models: ModelEntry[]; answered?: Answered; trouble?: Trouble };

/** `bridgeUrl` is the setting, for when there is no agent to say it; empty means nowhere. */
export type Facts = { agent: AgentFact; bridge: BridgeFact; bridgeUrl: string };

/** Through the agent (its tunnel, its token), or straight to an address with a key of the user's. */
export type Route =
  { kind: 'undecided' } | { kind: 'none' } | { kind: 'agent' } | { kind: 'direct'; url: string };

export type Standing =
  | { kind: 'nowhere'; problem?: Problem }
  | { kind: 'tunnelOff'; why: 'disconnected' | 'revoked' | 'silent' | 'agentStopped'; problem?: Problem }
  | { kind: 'connecting'; to: 'agent' | 'tunnel' | 'bridge'; again: boolean; problem?: Problem }
  /** `problem`: what the agent says is wrong, with its tunnel or with the profile that keeps it from having one. */
  | ({
      kind: 'unreachable' | 'unauthorised' | 'notABridge';
      via: 'agent' | 'direct';
      problem?: Problem;
    } & Fault)
  | {
      kind: 'ready';
      via: 'agent' | 'direct';
      models: ModelEntry[];
      answered?: Answered;
      trouble?: Trouble;
      /** What the agent says is wrong with a tunnel that still carries. */
      problem?: Problem;
    };

/** Problems of a tunnel that is up and carries nothing: a request would hang in it. */
const SILENT = new Set(['tunnel_silent', 'no_handshake']);

function isSilent({ state, problem }: AgentStatus): boolean {
  return state === 'degraded' && problem !== undefined && SILENT.has(problem.code);
}

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
  const { status } = facts.agent;
  return (status.state === 'connected' || status.state === 'degraded') && !isSilent(status);
}

export function whereDoIStand(facts: Facts): Standing {
  const route = routeOf(facts);
  if (route.kind === 'undecided') return { kind: 'connecting', to: 'agent', again: false };
  const problem = facts.agent.kind === 'present' ? facts.agent.status.problem : undefined;
  const said = problem === undefined ? {} : { problem };
  if (route.kind === 'none') return { kind: 'nowhere', ...said };
  if (route.kind === 'direct') {
    const standing = bridgeStanding(facts.bridge, 'direct');
    // What keeps the agent from having a tunnel is of no interest while things go well without.
    return standing.kind === 'ready' ? standing : { ...standing, ...said };
  }
  if (facts.agent.kind !== 'present') return { kind: 'tunnelOff', why: 'agentStopped' };
  if (isSilent(facts.agent.status)) return { kind: 'tunnelOff', why: 'silent', ...said };
  const { state } = facts.agent.status;
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
    case 'unreachable':
    case 'notABridge':
      return { kind: bridge.kind, via, code: bridge.code, message: bridge.message };
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
