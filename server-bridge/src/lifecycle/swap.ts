/**
 * The swap of a model from one backend to another: (state, event) → (state, effects). Pure; time comes in with the events.
 *
 * Invariants: the old backend is drained only when the new one has proved itself, or when the card can't hold both; a
 * backend is stopped only after its drain has ended, so never with requests in flight; whatever fails, the swap ends,
 * and the backend that the model prefers then takes requests; no effect happens twice.
 */
import type { SwapProgress, SwapStatus } from '@hearth/protocol';
import { doneWords, gapWords, runningWords, tooLate, warningWords } from './swap-words.ts';

export interface Swap {
  model: string;
  /** The backend that the model prefers now. */
  from: string;
  to: string;
  /** `to` has a runner and isn't running. */
  start: boolean;
  /** `from` has a runner and no other model prefers it. Where false it stays in service, as the fallback. */
  stop: boolean;
  /** Whether memory holds both at once; `yes` too where they share no card, or `from` isn't running. */
  together: 'yes' | 'no' | 'unknown';
  /** Who answers for the model while neither of the two does; null where nobody would. */
  cover: string | null;
}

/** Milliseconds that a task may take. */
export type SwapLimits = Record<WaitedFor, number>;

/** Large models load long, and long answers take long: ten minutes. What only has to be quick gets two. */
export const SWAP_LIMITS: SwapLimits = {
  start: 600_000,
  ready: 600_000,
  canary: 120_000,
  drain: 600_000,
  stop: 120_000,
};

type WaitedFor = 'start' | 'ready' | 'canary' | 'drain' | 'stop';

export interface SwapTask {
  readonly action: WaitedFor | 'shift' | 'resume';
  readonly backend: string;
}

export interface SwapState {
  readonly swap: Swap;
  readonly limits: SwapLimits;
  /** Still to be done; the first is under way. */
  readonly tasks: readonly SwapTask[];
  /** Which task is under way; answers that belong to an earlier one are dropped. */
  readonly number: number;
  /** When the task under way has taken too long. */
  readonly deadline: number;
  /** Everything that has been taken up, which is what an undoing undoes. */
  readonly begun: readonly SwapTask[];
  readonly shifted: boolean;
  /** Why it failed; until the end what has been done is being undone. */
  readonly failure: string | null;
  readonly warnings: readonly string[];
  readonly outcome: 'running' | 'done' | 'failed';
}

export type SwapEvent = { readonly at: number } & (
  | { kind: 'done'; number: number }
  | { kind: 'failed'; number: number; reason: string }
  /** Something may be overdue. */
  | { kind: 'timer' }
  /** The bridge closes: everything stays as it is at this moment. */
  | { kind: 'abort' }
);

export type SwapEffect =
  /** Answered by an event with that number. Every effect of this kind ends the waiting for the one before. */
  | { kind: WaitedFor; backend: string; number: number }
  | { kind: 'resume'; backend: string }
  | { kind: 'prefer'; model: string; backend: string };

export interface SwapStep {
  state: SwapState;
  effects: SwapEffect[];
  progress: SwapProgress[];
}

/** Why this swap can't run beside those, or undefined: each model and each backend is in one swap at a time. */
export function conflict(others: readonly Swap[], { model, from, to }: Swap): string | undefined {
  const touches = ({ from: a, to: b }: Swap) => [a, b].some((one) => one === from || one === to);
  const other = others.find((one) => one.model === model || touches(one));
  if (other === undefined) return undefined;
  return `${other.model} is being swapped from ${other.from} to ${other.to}; one swap at a time`;
}

export function beginSwap(swap: Swap, at: number, limits: SwapLimits = SWAP_LIMITS): SwapStep {
  const { model, from, to } = swap;
  const state: SwapState = {
    swap,
    limits,
    tasks: [],
    number: 0,
    deadline: at,
    begun: [],
    shifted: false,
    failure: null,
    warnings: [],
    outcome: 'running',
  };
  if (from === to) return end(state, 'done', `${model} prefers ${to} already`);
  if (swap.together === 'no' && swap.start && !swap.stop)
    return end(
      state,
      'failed',
      `the card can't hold ${from} and ${to} together, and ${from} is not the bridge's to stop: ` +
        'it has no runner, or another model prefers it',
    );
  return takeUp({ ...state, tasks: planOf(swap) }, at);
}

export function stepSwap(state: SwapState, event: SwapEvent): SwapStep {
  const [task] = state.tasks;
  if (task === undefined) return same(state);
  switch (event.kind) {
    case 'done':
      return event.number === state.number ? taskDone(state, task, event.at) : same(state);
    case 'failed':
      return event.number === state.number ? taskFailed(state, task, event.reason, event.at) : same(state);
    case 'timer':
      if (event.at < state.deadline) return same(state);
      return taskFailed(state, task, tooLate(task, limitOf(state, task)), event.at);
    case 'abort':
      return state.shifted
        ? end(state, 'done', `the bridge closes; ${state.swap.from} has not been stopped`)
        : end(state, 'failed', "the bridge closes; its next start goes by the configuration's order");
  }
}

/** For the status document; `since` is when the swap was asked for. */
export function statusOf(state: SwapState, since: Date): SwapStatus {
  const { model, from, to, cover } = state.swap;
  const [task] = state.tasks;
  const gap = !state.shifted && hasBegun(state, 'drain', from);
  return {
    model,
    from,
    to,
    since: since.toISOString(),
    step: task?.action ?? 'swap',
    detail: [task && runningWords(task), gap && gapWords(state.swap)].filter(Boolean).join('; '),
    undoing: state.failure !== null,
    gap: gap ? (cover === null ? { kind: 'nobody' } : { kind: 'covered', by: cover }) : null,
  };
}

function planOf({ from, to, start, stop, together }: Swap): SwapTask[] {
  const arrive: SwapTask[] = [
    ...(start ? [{ action: 'start' as const, backend: to }] : []),
    { action: 'ready', backend: to },
    { action: 'canary', backend: to },
    { action: 'shift', backend: to },
  ];
  const leave: SwapTask[] = [
    { action: 'drain', backend: from },
    { action: 'stop', backend: from },
  ];
  if (!stop) return arrive;
  return start && together === 'no' ? [...leave, ...arrive] : [...arrive, ...leave];
}

/** What takes back everything begun before the shift, the newest first. */
function undoingOf(state: SwapState): SwapTask[] {
  const { from, to } = state.swap;
  const tasks: SwapTask[] = [];
  // It may have taken requests as somebody's fallback: they end before it does.
  if (hasBegun(state, 'start', to))
    tasks.push({ action: 'drain', backend: to }, { action: 'stop', backend: to });
  if (hasBegun(state, 'stop', from))
    tasks.push(
      { action: 'start', backend: from },
      { action: 'ready', backend: from },
      { action: 'canary', backend: from },
    );
  if (hasBegun(state, 'drain', from)) tasks.push({ action: 'resume', backend: from });
  return tasks;
}

/** Goes on with the first of the tasks; what needs no waiting is done at once. */
function takeUp(before: SwapState, at: number): SwapStep {
  const [task] = before.tasks;
  if (task === undefined) return conclude(before);
  const { swap } = before;
  const state: SwapState = {
    ...before,
    number: before.number + 1,
    begun: [...before.begun, task],
    deadline: at + limitOf(before, task),
  };
  const { action, backend } = task;
  switch (action) {
    case 'shift':
      // An earlier swap may have left it draining.
      return after(
        [
          { kind: 'resume', backend },
          { kind: 'prefer', model: swap.model, backend },
        ],
        taskDone({ ...state, shifted: true }, task, at),
      );
    case 'resume':
      return after([{ kind: 'resume', backend }], taskDone(state, task, at));
    case 'start':
    case 'ready':
    case 'canary':
    case 'drain':
    case 'stop': {
      const opensGap = action === 'drain' && backend === swap.from && !state.shifted;
      const detail = runningWords(task) + (opensGap ? `; ${gapWords(swap)}` : '');
      return {
        state,
        effects: [{ kind: action, backend, number: state.number }],
        progress: [{ step: action, state: 'running', detail }],
      };
    }
  }
}

function taskDone(state: SwapState, task: SwapTask, at: number): SwapStep {
  return telling(
    { step: task.action, state: 'done', detail: doneWords(task, state.swap) },
    takeUp({ ...state, tasks: state.tasks.slice(1) }, at),
  );
}

function taskFailed(state: SwapState, task: SwapTask, reason: string, at: number): SwapStep {
  if (!state.shifted && state.failure === null)
    return telling(
      { step: task.action, state: 'failed', detail: reason },
      takeUp({ ...state, failure: reason, tasks: undoingOf(state) }, at),
    );
  // After the shift, or while undoing, there is nothing to go back to: it goes on without what failed. What depends
  // on it falls out too: a backend that isn't drained isn't stopped, one that hasn't started can't prove itself.
  const detail = warningWords(task, reason);
  const tasks = state.tasks.filter(({ action, backend }) => action === 'resume' || backend !== task.backend);
  return telling(
    { step: task.action, state: 'warning', detail },
    takeUp({ ...state, tasks, warnings: [...state.warnings, detail] }, at),
  );
}

function conclude(state: SwapState): SwapStep {
  const { model, from, to, stop } = state.swap;
  const detail =
    state.failure === null
      ? `${to} answers for ${model}${stop ? '' : `; ${from} stays in service`}`
      : `${state.failure}; ${from} is still the one for ${model}`;
  return end(state, state.failure === null ? 'done' : 'failed', [detail, ...state.warnings].join('; '));
}

function end(state: SwapState, outcome: 'done' | 'failed', detail: string): SwapStep {
  return {
    state: { ...state, tasks: [], outcome },
    effects: [],
    progress: [{ step: 'swap', state: outcome, detail }],
  };
}

const same = (state: SwapState): SwapStep => ({ state, effects: [], progress: [] });

const after = (effects: SwapEffect[], step: SwapStep): SwapStep => ({
  ...step,
  effects: [...effects, ...step.effects],
});

const telling = (progress: SwapProgress, step: SwapStep): SwapStep => ({
  ...step,
  progress: [progress, ...step.progress],
});

const hasBegun = ({ begun }: SwapState, action: SwapTask['action'], backend: string) =>
  begun.some((one) => one.action === action && one.backend === backend);

const limitOf = ({ limits }: SwapState, { action }: SwapTask) =>
  action === 'shift' || action === 'resume' ? 0 : limits[action];
