/** The swap's state machine: examples of its course, and what must hold whatever fails and in whatever order. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  beginSwap,
  conflict,
  statusOf,
  stepSwap,
  SWAP_LIMITS,
  type Swap,
  type SwapEffect,
  type SwapState,
  type SwapStep,
} from '../../../server-bridge/src/lifecycle/swap.ts';

const SWAP: Swap = {
  model: 'coder',
  from: 'old',
  to: 'new',
  start: true,
  stop: true,
  together: 'yes',
  cover: 'light',
};

/** How an effect that is waited for ends: well, badly, or not within its limit. */
type Outcome = 'done' | 'failed' | 'timer';

/** Plays a swap to its end, with an outcome for each effect as named (`done` for the others); tells it as lines. */
function play(swap: Swap, outcomes: Record<string, Outcome> = {}) {
  const told: string[] = [];
  let at = 0;
  let last = beginSwap(swap, at);
  for (;;) {
    told.push(...last.progress.map(({ step, state, detail }) => `${step} ${state}: ${detail}`));
    const asked = last.effects.at(-1);
    if (asked === undefined || !('number' in asked)) return { told, state: last.state };
    const kind = outcomes[`${asked.kind} ${asked.backend}`] ?? 'done';
    at += kind === 'timer' ? SWAP_LIMITS[asked.kind] : 1;
    last = stepSwap(last.state, { kind, at, number: asked.number, reason: 'it broke' });
  }
}

const heads = (told: string[]) => told.map((line) => line.slice(0, line.indexOf(':')));

describe('swap: the machine', () => {
  it('starts, waits, proves, shifts, drains and stops where the card holds both, or where nobody knows', () => {
    for (const together of ['yes', 'unknown'] as const) {
      const { told, state } = play({ ...SWAP, together });
      assert.deepEqual(heads(told), [
        'start running',
        'start done',
        'ready running',
        'ready done',
        'canary running',
        'canary done',
        'shift done',
        'drain running',
        'drain done',
        'stop running',
        'stop done',
        'swap done',
      ]);
      assert.equal(told.at(-1), 'swap done: new answers for coder');
      assert.equal(state.outcome, 'done');
    }
  });

  it('takes the old one away first where the card can’t hold both, and says who answers meanwhile', () => {
    const { told } = play({ ...SWAP, together: 'no' });
    assert.deepEqual(
      heads(told).filter((line) => line.endsWith('done')),
      ['drain done', 'stop done', 'start done', 'ready done', 'canary done', 'shift done', 'swap done'],
    );
    assert.match(told[0] ?? '', /until the new one is ready light answers for coder/);
    const { state } = beginSwap({ ...SWAP, together: 'no', cover: null }, 0);
    const status = statusOf(state, new Date(0));
    assert.deepEqual(status.gap, { kind: 'nobody' });
    assert.match(status.detail, /nobody answers for coder/);
  });

  it('leaves the old one in service where it isn’t the bridge’s to stop, and starts nothing that runs', () => {
    const { told } = play({ ...SWAP, start: false, stop: false });
    assert.deepEqual(
      heads(told).filter((line) => line.endsWith('done')),
      ['ready done', 'canary done', 'shift done', 'swap done'],
    );
    assert.match(told.at(-1) ?? '', /old stays in service/);
  });

  it('is done at once with what is preferred already, and fails at once where no memory can be had', () => {
    const already = play({ ...SWAP, to: 'old' });
    assert.deepEqual(already.told, ['swap done: coder prefers old already']);
    const cramped = play({ ...SWAP, together: 'no', stop: false });
    assert.match(
      cramped.told.join(),
      /^swap failed: the card can't hold old and new together, and old is not/,
    );
  });

  it('undoes everything when the new one does not start, answer or prove itself', () => {
    for (const step of ['start', 'ready', 'canary'] as const) {
      const { told, state } = play(SWAP, { [`${step} new`]: 'failed' });
      assert.ok(told.includes(`${step} failed: it broke`));
      assert.deepEqual(heads(told).slice(-5), [
        'drain running',
        'drain done',
        'stop running',
        'stop done',
        'swap failed',
      ]);
      assert.equal(told.at(-1), 'swap failed: it broke; old is still the one for coder');
      assert.equal(state.outcome, 'failed');
    }
  });

  it('brings the old one back when that had to go first', () => {
    const { told } = play({ ...SWAP, together: 'no' }, { 'ready new': 'timer' });
    assert.ok(told.includes('ready failed: new did not answer within 10 min'));
    assert.deepEqual(
      heads(told).filter((line) => line.endsWith('done')),
      [
        'drain done',
        'stop done',
        'start done',
        'drain done',
        'stop done',
        'start done',
        'ready done',
        'canary done',
        'resume done',
      ],
    );
  });

  it('says both when the old one doesn’t come back either, and lets it have requests once it answers', () => {
    const { told } = play({ ...SWAP, together: 'no' }, { 'start new': 'failed', 'canary old': 'failed' });
    assert.ok(heads(told).includes('canary warning'));
    assert.ok(heads(told).includes('resume done'));
    assert.match(told.at(-1) ?? '', /^swap failed: it broke;.*old did not come back: it broke/);
  });

  it('ends done with a warning when the old one doesn’t drain in time, and doesn’t stop it', () => {
    const { told } = play(SWAP, { 'drain old': 'timer' });
    assert.deepEqual(heads(told).slice(-2), ['drain warning', 'swap done']);
    assert.match(
      told.at(-1) ?? '',
      /old still runs requests after 10 min; old takes nothing new and is not stopped/,
    );
  });

  it('gives the old one its place back when it doesn’t drain and had to go first', () => {
    const { told } = play({ ...SWAP, together: 'no' }, { 'drain old': 'timer' });
    assert.deepEqual(heads(told), ['drain running', 'drain failed', 'resume done', 'swap failed']);
  });

  it('takes a failure to stop the old one for a warning', () => {
    const { told } = play(SWAP, { 'stop old': 'failed' });
    assert.deepEqual(heads(told).slice(-2), ['stop warning', 'swap done']);
  });

  it('does one swap at a time on a model and on a backend', () => {
    const other = { ...SWAP, model: 'chat', from: 'a', to: 'b' };
    assert.equal(conflict([SWAP], other), undefined);
    for (const wish of [
      { ...other, model: 'coder' },
      { ...other, from: 'new' },
      { ...other, to: 'old' },
    ])
      assert.match(conflict([SWAP], wish) ?? '', /coder is being swapped from old to new/);
  });
});

const anySwap = fc.record({
  model: fc.constant('coder'),
  from: fc.constant('old'),
  to: fc.constant('new'),
  start: fc.boolean(),
  stop: fc.boolean(),
  together: fc.constantFrom('yes', 'no', 'unknown'),
  cover: fc.option(fc.constant('light')),
} satisfies Record<keyof Swap, unknown>);

/** Noise before each answer: what is late, early or not the machine's must change nothing. */
const anyNoise = fc.constantFrom('none', 'old answer', 'early timer');
const anyTurn = fc.record({
  outcome: fc.constantFrom<Outcome>('done', 'done', 'failed', 'timer'),
  noise: anyNoise,
});

/** More than any swap has tasks: arriving, leaving and undoing together. */
const LONGEST = 12;

/** The two backends as the effects make them. */
class World {
  readonly effects: SwapEffect[] = [];
  readonly broken = new Set<string>();
  readonly proved = new Set<string>();
  readonly cordoned = new Set<string>();
  readonly busy = new Set(['old', 'new']);
  readonly stopped = new Set<string>();
  readonly refusedToStop = new Set<string>();
  preferred = 'old';

  constructor(swap: Swap) {
    if (swap.start) this.stopped.add('new');
  }

  apply(effect: SwapEffect, swap: Swap): void {
    const told = this.effects.map((one) => `${one.kind} ${one.backend}`);
    assert.ok(!told.includes(`${effect.kind} ${effect.backend}`), `${effect.kind} ${effect.backend} twice`);
    this.effects.push(effect);
    if (effect.kind === 'drain' && effect.backend === 'old' && swap.together !== 'no')
      assert.ok(this.proved.has('new'), 'drained before the new one proved itself');
    if (effect.kind === 'drain') this.cordoned.add(effect.backend);
    if (effect.kind === 'resume') this.cordoned.delete(effect.backend);
    if (effect.kind === 'stop')
      assert.ok(
        this.cordoned.has(effect.backend) && !this.busy.has(effect.backend),
        'stopped while it ran requests',
      );
    if (effect.kind === 'prefer') {
      assert.ok(this.proved.has(effect.backend), 'preferred before it proved itself');
      this.preferred = effect.backend;
    }
  }

  answer({ kind, backend }: SwapEffect, outcome: Outcome): void {
    if (kind === 'stop') this.stopped.add(backend);
    if (outcome !== 'done') {
      if (kind === 'stop') this.refusedToStop.add(backend);
      if (kind !== 'drain' && kind !== 'stop') this.broken.add(backend);
      return;
    }
    if (kind === 'drain') this.busy.delete(backend);
    if (kind === 'start') this.stopped.delete(backend);
    if (kind === 'canary') this.proved.add(backend);
  }
}

function noisy(state: SwapState, noise: string, at: number): void {
  const event =
    noise === 'old answer'
      ? ({ kind: 'done', number: state.number - 1, at } as const)
      : ({ kind: 'timer', at: Math.min(at, state.deadline - 1) } as const);
  if (noise === 'none') return;
  assert.deepEqual(stepSwap(state, event), { state, effects: [], progress: [] } satisfies SwapStep);
}

describe('swap: whatever fails, and in whatever order', () => {
  it('it ends, repeats nothing, stops nothing that is busy, and one of the two is left to answer', () => {
    fc.assert(
      fc.property(anySwap, fc.array(anyTurn, { minLength: LONGEST, maxLength: LONGEST }), (swap, turns) => {
        const world = new World(swap);
        let at = 0;
        let step = beginSwap(swap, at);
        for (const { outcome, noise } of turns) {
          for (const effect of step.effects) world.apply(effect, swap);
          const asked = step.effects.at(-1);
          if (asked === undefined || !('number' in asked)) break;
          noisy(step.state, noise, at);
          at = outcome === 'timer' ? step.state.deadline : at + 1;
          world.answer(asked, outcome);
          step = stepSwap(step.state, { kind: outcome, at, number: asked.number, reason: 'it broke' });
        }
        for (const effect of step.effects) if (!world.effects.includes(effect)) world.apply(effect, swap);

        const { outcome, shifted } = step.state;
        assert.notEqual(outcome, 'running');
        assert.equal(outcome === 'done', shifted);
        assert.equal(world.preferred, shifted ? 'new' : 'old');
        assert.equal(step.progress.at(-1)?.step, 'swap');
        assert.ok(!world.cordoned.has(world.preferred), 'the preferred one is left without requests');
        const gone = (backend: string) => world.stopped.has(backend) || world.broken.has(backend);
        if (shifted) assert.ok(!gone('new'));
        else if (gone('old'))
          // Both failed; or the old one would neither stop nor come back, so that there was no room to try the new one.
          assert.ok(world.broken.has('old') && (world.broken.has('new') || world.refusedToStop.has('old')));
        assert.deepEqual(stepSwap(step.state, { kind: 'timer', at: Infinity }).effects, []);
      }),
      { numRuns: 2_000 },
    );
  });

  it('an abort ends it at once and touches nothing more', () => {
    fc.assert(
      fc.property(anySwap, fc.nat(8), (swap, answers) => {
        let step = beginSwap(swap, 0);
        for (let turn = 0; turn < answers && step.state.outcome === 'running'; turn++)
          step = stepSwap(step.state, { kind: 'done', number: step.state.number, at: turn });
        if (step.state.outcome !== 'running') return;
        const ended = stepSwap(step.state, { kind: 'abort', at: 100 });
        assert.deepEqual(ended.effects, []);
        assert.equal(ended.state.outcome, step.state.shifted ? 'done' : 'failed');
      }),
    );
  });
});
