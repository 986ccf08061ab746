/** The swap's driver against a port whose every answer the test gives. */
import assert from 'node:assert/strict';
import { swapStatus, type SwapProgress } from '@hearth/protocol';
import { pino } from 'pino';
import { SWAP_LIMITS, type Swap, type SwapLimits } from '../../../server-bridge/src/lifecycle/swap.ts';
import { Swapper, type SwapPort } from '../../../server-bridge/src/lifecycle/swapper.ts';

const SWAP: Swap = {
  model: 'coder',
  from: 'old',
  to: 'new',
  start: true,
  stop: true,
  together: 'yes',
  cover: 'light',
};

interface Call {
  name: string;
  signal: AbortSignal;
  resolve: () => void;
  reject: (error: Error) => void;
}

/** Records what is asked of it; answers when told to. */
class Port implements SwapPort {
  readonly calls: Call[] = [];
  readonly log: string[] = [];

  start = async (backend: string, signal: AbortSignal) => await this.#call('start', backend, signal);
  stop = async (backend: string, signal: AbortSignal) => await this.#call('stop', backend, signal);
  ready = async (backend: string, signal: AbortSignal) => await this.#call('ready', backend, signal);
  canary = async (backend: string, signal: AbortSignal) => await this.#call('canary', backend, signal);
  drain = async (backend: string, signal: AbortSignal) => await this.#call('drain', backend, signal);
  prefer = (model: string, backend: string) => void this.log.push(`prefer ${model} ${backend}`);
  resume = (backend: string) => void this.log.push(`resume ${backend}`);

  /** Waits until this is asked, and gives the call. */
  async asked(name: string): Promise<Call> {
    for (;;) {
      const call = this.calls.find((one) => one.name === name);
      if (call !== undefined) return call;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #call(verb: string, backend: string, signal: AbortSignal): Promise<void> {
    const name = `${verb} ${backend}`;
    this.log.push(name);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.calls.push({ name, signal, resolve, reject });
    await promise;
  }
}

function start(limits: Partial<SwapLimits> = {}) {
  const port = new Port();
  const lines: string[] = [];
  let changes = 0;
  const swapper = new Swapper(port, {
    log: pino({}, { write: (line: string) => void lines.push(line) }),
    now: () => performance.now(),
    onChange: () => void changes++,
    limits: { ...SWAP_LIMITS, ...limits },
  });
  return { port, swapper, lines, changes: () => changes };
}

async function all(progress: AsyncIterable<SwapProgress>): Promise<string[]> {
  const told = [];
  for await (const { step, state } of progress) told.push(`${step} ${state}`);
  return told;
}

describe('swap: the driver', () => {
  it('acts in order, tells each step, and shows the swap in the status while it runs', async () => {
    const { port, swapper, lines, changes } = start();
    const told = all(swapper.swap(SWAP));
    for (const name of ['start new', 'ready new', 'canary new', 'drain old', 'stop old']) {
      const call = await port.asked(name);
      const [status] = swapper.swaps();
      assert.equal(swapStatus.parse(status).step, name.split(' ')[0]);
      assert.ok(!call.signal.aborted);
      call.resolve();
    }
    const steps = await told;
    assert.equal(steps[0], 'start running');
    assert.equal(steps.at(-1), 'swap done');
    assert.equal(steps.length, 12);
    assert.deepEqual(port.log, [
      'start new',
      'ready new',
      'canary new',
      'resume new',
      'prefer coder new',
      'drain old',
      'stop old',
    ]);
    assert.deepEqual(swapper.swaps(), []);
    assert.ok(changes() >= 6);
    assert.equal(lines.filter((line) => line.includes('"msg":"swap"')).length, 12);
  });

  it('goes on when nobody listens, and tells a late listener everything', async () => {
    const { port, swapper } = start();
    const progress = swapper.swap(SWAP);
    for await (const one of progress) {
      assert.equal(one.step, 'start');
      break;
    }
    for (const name of ['start new', 'ready new', 'canary new', 'drain old', 'stop old'])
      (await port.asked(name)).resolve();
    while (swapper.swaps().length > 0) await new Promise((resolve) => setImmediate(resolve));

    const second = swapper.swap({ ...SWAP, from: 'new', to: 'old' });
    assert.equal(swapper.swaps().length, 1);
    port.calls.length = 0;
    port.log.length = 0;
    swapper.close();
    assert.deepEqual(await all(second), ['start running', 'swap failed']);
  });

  it('undoes a swap whose new backend fails, with its reason', async () => {
    const { port, swapper } = start();
    const told: SwapProgress[] = [];
    const reading = (async () => {
      for await (const one of swapper.swap(SWAP)) told.push(one);
    })();
    (await port.asked('start new')).resolve();
    (await port.asked('ready new')).reject(new Error('out of memory'));
    await port.asked('drain new');
    assert.equal(swapper.swaps()[0]?.undoing, true);
    (await port.asked('drain new')).resolve();
    (await port.asked('stop new')).resolve();
    await reading;
    assert.equal(told.at(-1)?.state, 'failed');
    assert.match(told.at(-1)?.detail ?? '', /^out of memory; old is still the one for coder/);
    assert.ok(!port.log.some((line) => line.startsWith('prefer')));
  });

  it('outlives a backend that a reload takes away under it', async () => {
    const { port, swapper, lines } = start();
    port.resume = () => {
      throw new Error('new has left the configuration');
    };
    const told = all(swapper.swap({ ...SWAP, start: false, stop: false }));
    (await port.asked('ready new')).resolve();
    (await port.asked('canary new')).resolve();
    assert.equal((await told).at(-1), 'swap done');
    assert.ok(lines.some((line) => line.includes('has left the configuration')));
  });

  it('waits no longer than the limit, tells the port so, and takes no late answer', async () => {
    const { port, swapper } = start({ ready: 30, drain: 30 });
    const told = all(swapper.swap(SWAP));
    (await port.asked('start new')).resolve();
    const ready = await port.asked('ready new');
    await port.asked('drain new');
    assert.ok(ready.signal.aborted);
    ready.resolve();
    assert.deepEqual((await told).slice(-2), ['drain warning', 'swap failed']);
    assert.ok(!port.log.includes('stop new'), 'stopped although it was not drained');
    assert.ok(!port.log.includes('canary new'));
  });

  it('shows the gap, and who covers it, while memory holds neither', async () => {
    const { port, swapper } = start();
    void all(swapper.swap({ ...SWAP, together: 'no' }));
    const [status] = swapper.swaps();
    assert.deepEqual(status?.gap, { kind: 'covered', by: 'light' });
    assert.match(status?.detail ?? '', /light answers for coder/);
    await port.asked('drain old');
    swapper.close();
  });

  it('runs one swap at a time on a model and a backend, and others beside it', async () => {
    const { port, swapper } = start();
    void all(swapper.swap(SWAP));
    for (const wish of [
      { ...SWAP, from: 'a', to: 'b' },
      { ...SWAP, model: 'chat', from: 'a' },
      { ...SWAP, model: 'chat', to: 'b' },
    ])
      assert.throws(() => swapper.swap(wish), {
        code: 'busy',
        message: /coder is being swapped from old to new/,
      });
    void all(swapper.swap({ ...SWAP, model: 'chat', from: 'a', to: 'b' }));
    assert.equal(swapper.swaps().length, 2);
    await port.asked('start b');
    swapper.close();
    assert.equal(swapper.swaps().length, 0);
  });

  it('is done at once where there is nothing to do, and free for the next', async () => {
    const { port, swapper } = start();
    assert.deepEqual(await all(swapper.swap({ ...SWAP, to: 'old' })), ['swap done']);
    swapper.swap({ ...SWAP, to: 'old' });
    swapper.swap({ ...SWAP, to: 'old' });
    assert.deepEqual(port.log, []);
  });

  it('ends with the bridge: the port is told, and nothing more is done', async () => {
    const { port, swapper } = start();
    const told = all(swapper.swap(SWAP));
    const call = await port.asked('start new');
    swapper.close();
    assert.ok(call.signal.aborted);
    call.reject(new Error('aborted'));
    assert.deepEqual((await told).at(-1), 'swap failed');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(port.log, ['start new']);
  });
});
