/**
 * The tunnel's state machine: (state, event) → (state, effects). Pure; time comes in with the events.
 *
 * Invariants: `connected` is only reported after bytes were received *and* the bridge answered in the same
 * measurement (a handshake stays fresh for minutes after the server has dropped this device); after `disconnect`
 * the only way on is down until `connect` comes; the interface is never raised while an older one may be there.
 */
import type { Problem } from '@hearth/protocol';
import type { PeerReading, ProbeResult } from './ports.ts';
import { diagnose, INTERFACE_LOST } from './problems.ts';

/**
 * Milliseconds. Establishing and dead after 15 s are Mullvad's numbers; WireGuard's own recovery takes as long,
 * while setting the endpoint again takes milliseconds, so that is done every 5 s of silence. A dead line is reported
 * after the wait of `connected` and the 2 s of a probe at most, which is to be within 5 s.
 */
export const TIMING = {
  proving: 500,
  connected: 2_000,
  degraded: 1_000,
  silence: 15_000,
  endpointAgain: 5_000,
  raiseAgain: 5_000,
  lowerAgain: 2_000,
} as const;

type Reported = 'disconnected' | 'connecting' | 'connected' | 'degraded' | 'reconnecting';

export interface MachineState {
  /** Whether the user wants the tunnel. */
  readonly wanted: boolean;
  readonly link: 'down' | 'raising' | 'up' | 'lowering';
  /** Which raising of the link this is; answers that belong to an earlier one are dropped. */
  readonly attempt: number;
  readonly reported: Reported;
  readonly problem: Problem | null;
  /** The last reading of the present link. */
  readonly peer: Extract<PeerReading, { kind: 'present' }> | null;
  readonly rttMs: number | null;
  /** When bytes last came in, or since when they have been waited for. */
  readonly flowedAt: number;
  readonly endpointSetAt: number;
}

export type TunnelEvent = { readonly at: number } & (
  | { kind: 'connect' }
  /** The tunnel is wanted with another profile. */
  | { kind: 'replace' }
  | { kind: 'disconnect' }
  | { kind: 'raised'; attempt: number }
  | { kind: 'raise_failed'; attempt: number; problem: Problem; retry: boolean }
  | { kind: 'lowered' }
  | { kind: 'lower_failed'; problem: Problem }
  | { kind: 'measured'; attempt: number; peer: PeerReading; probe: ProbeResult }
  | { kind: 'timer' }
);

export type Effect =
  | { kind: 'raise'; attempt: number }
  /** Ends a raising or measuring that is under way, then takes the interface down. */
  | { kind: 'lower' }
  | { kind: 'measure'; attempt: number }
  | { kind: 'reset_endpoint' }
  /** A `timer` event after `ms`; replaces the timer before. */
  | { kind: 'wait'; ms: number };

export interface Step {
  state: MachineState;
  effects: Effect[];
}

export const INITIAL: MachineState = {
  wanted: false,
  link: 'down',
  attempt: 0,
  reported: 'disconnected',
  problem: null,
  peer: null,
  rttMs: null,
  flowedAt: 0,
  endpointSetAt: 0,
};

export function step(state: MachineState, event: TunnelEvent): Step {
  switch (event.kind) {
    case 'connect':
      return connect(state, event.at);
    case 'replace':
      return replace(state, event.at);
    case 'disconnect':
      return disconnect(state);
    case 'raised':
      return isCurrent(state, 'raising', event.attempt) ? raised(state, event.at) : same(state);
    case 'raise_failed':
      return isCurrent(state, 'raising', event.attempt) ? raiseFailed(state, event) : same(state);
    case 'lowered':
      return state.link === 'lowering' ? lowered(state, event.at) : same(state);
    case 'lower_failed':
      if (state.link !== 'lowering') return same(state);
      return {
        state: { ...state, problem: event.problem },
        effects: [{ kind: 'wait', ms: TIMING.lowerAgain }],
      };
    case 'measured':
      return isCurrent(state, 'up', event.attempt) ? measured(state, event) : same(state);
    case 'timer':
      return timer(state, event.at);
  }
}

const same = (state: MachineState): Step => ({ state, effects: [] });

const isCurrent = (state: MachineState, link: MachineState['link'], attempt: number) =>
  state.link === link && state.attempt === attempt;

function connect(state: MachineState, at: number): Step {
  if (state.wanted) return same(state);
  const wanted: MachineState = { ...state, wanted: true, reported: 'connecting', problem: null };
  return state.link === 'down' ? raise(wanted, at) : same(wanted);
}

function disconnect(state: MachineState): Step {
  const idle: MachineState = {
    ...state,
    wanted: false,
    reported: 'disconnected',
    problem: null,
    peer: null,
    rttMs: null,
  };
  if (state.link === 'down' || state.link === 'lowering') return same(idle);
  return { state: { ...idle, link: 'lowering' }, effects: [{ kind: 'lower' }] };
}

/** Down and up again as one step: nobody is to hear of a `disconnected` between that no one asked for. */
function replace(state: MachineState, at: number): Step {
  const down = disconnect(state);
  const next = connect(down.state, at);
  return { state: next.state, effects: [...down.effects, ...next.effects] };
}

function raise(state: MachineState, at: number): Step {
  const attempt = state.attempt + 1;
  return {
    state: { ...state, link: 'raising', attempt, peer: null, rttMs: null, flowedAt: at, endpointSetAt: at },
    effects: [{ kind: 'raise', attempt }],
  };
}

function raised(state: MachineState, at: number): Step {
  return {
    state: { ...state, link: 'up', flowedAt: at, endpointSetAt: at },
    effects: [{ kind: 'measure', attempt: state.attempt }],
  };
}

function raiseFailed(state: MachineState, { problem, retry }: { problem: Problem; retry: boolean }): Step {
  const failed: MachineState = { ...state, link: 'down', problem };
  return retry
    ? { state: { ...failed, reported: 'reconnecting' }, effects: [{ kind: 'wait', ms: TIMING.raiseAgain }] }
    : same({ ...failed, wanted: false, reported: 'disconnected' });
}

function lowered(state: MachineState, at: number): Step {
  const down: MachineState = { ...state, link: 'down', problem: null };
  return state.wanted ? raise(down, at) : same(down);
}

function timer(state: MachineState, at: number): Step {
  if (state.link === 'up') return { state, effects: [{ kind: 'measure', attempt: state.attempt }] };
  if (state.link === 'lowering') return { state, effects: [{ kind: 'lower' }] };
  if (state.link === 'down' && state.wanted) return raise(state, at);
  return same(state);
}

function measured(
  state: MachineState,
  { at, peer, probe }: { at: number; peer: PeerReading; probe: ProbeResult },
): Step {
  if (peer.kind === 'absent')
    return raise({ ...state, reported: 'reconnecting', problem: INTERFACE_LOST }, at);

  const flowed = peer.kind === 'present' && peer.rxBytes > (state.peer?.rxBytes ?? 0);
  const next: MachineState = {
    ...state,
    peer: peer.kind === 'present' ? peer : state.peer,
    flowedAt: flowed ? at : state.flowedAt,
  };
  if (flowed && probe.kind === 'answered')
    return {
      state: { ...next, reported: 'connected', problem: null, rttMs: probe.rttMs },
      effects: [{ kind: 'wait', ms: TIMING.connected }],
    };
  return unproven(next, at, flowed, diagnose(peer, probe, flowed));
}

/** A measurement without evidence: name the problem, heal what can be healed, and look again soon. */
function unproven(state: MachineState, at: number, flowed: boolean, problem: Problem): Step {
  const reported = worsened(state, at);
  // While connecting, silence is no finding yet: the first handshake may just be on its way.
  const known = reported !== 'connecting' || flowed;
  const heal = !flowed && at - state.endpointSetAt >= TIMING.endpointAgain;
  const wait: Effect = {
    kind: 'wait',
    ms: reported === 'connecting' ? TIMING.proving : TIMING.degraded,
  };
  return {
    state: {
      ...state,
      reported,
      rttMs: null,
      problem: known ? problem : null,
      endpointSetAt: heal ? at : state.endpointSetAt,
    },
    effects: heal ? [{ kind: 'reset_endpoint' }, wait] : [wait],
  };
}

function worsened(state: MachineState, at: number): Reported {
  const silent = at - state.flowedAt >= TIMING.silence;
  switch (state.reported) {
    case 'connecting':
      return silent ? 'reconnecting' : 'connecting';
    case 'connected':
    case 'degraded':
      return silent ? 'reconnecting' : 'degraded';
    case 'reconnecting':
    case 'disconnected':
      return state.reported;
  }
}
