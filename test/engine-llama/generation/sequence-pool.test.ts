import assert from 'node:assert/strict';
import { SequencePool } from '../../../server-bridge/engine-llama/src/generation/sequence-pool.ts';

const any = (): number => 0;
const never = { signal: new AbortController().signal };

describe('SequencePool', () => {
  it('prefers the sequence that has most of the work', async () => {
    const pool = new SequencePool(['a', 'bbb', 'cc']);
    assert.equal(await pool.acquire((name) => name.length, never), 'bbb');
  });

  it('otherwise takes the one unused for longest', async () => {
    const pool = new SequencePool(['a', 'b']);
    pool.release(await pool.acquire(any, never));
    assert.equal(await pool.acquire(any, never), 'b');
  });

  it('serves those who wait in their order', async () => {
    const pool = new SequencePool(['a']);
    const held = await pool.acquire(any, never);
    const served: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const sequence = await pool.acquire(any, never);
      served.push(number);
      pool.release(sequence);
    });
    assert.equal(pool.waiting, 3);
    pool.release(held);
    await Promise.all(waiting);
    assert.deepEqual(served, [1, 2, 3]);
    assert.equal(pool.lent, 0);
  });

  it('lets one who waits give up, and the next one in', async () => {
    const pool = new SequencePool(['a']);
    const held = await pool.acquire(any, never);
    const impatient = new AbortController();
    const first = pool.acquire(any, impatient);
    const second = pool.acquire(any, never);
    impatient.abort(new Error('gone'));
    await assert.rejects(first, /gone/);
    pool.release(held);
    assert.equal(await second, 'a');
  });

  it('is idle when all came back', async () => {
    const pool = new SequencePool(['a']);
    const held = await pool.acquire(any, never);
    let idle = false;
    const waiting = pool.idle().then(() => (idle = true));
    await Promise.resolve();
    assert.equal(idle, false);
    pool.release(held);
    await waiting;
  });
});
