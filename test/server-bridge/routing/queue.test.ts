import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Queue } from '../../../server-bridge/src/routing/queue.ts';
import { averaged, retryAfterS } from '../../../server-bridge/src/routing/service-rate.ts';

interface Item {
  rank: number;
  bytes: number;
  name: number;
}

describe('routing: the queue', () => {
  it('is in the order of ranks, the same rank by arrival, and lets go of the last beyond its bounds', () => {
    const item = fc.record({ rank: fc.nat(20), bytes: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(item), fc.nat(8), fc.integer({ min: 1, max: 200 }), (items, entries, bytes) => {
        const queue = new Queue<Item>({ entries, bytes });
        const held: Item[] = [];
        items.forEach((one, name) => {
          const entry = { ...one, name };
          queue.add(entry);
          held.push(entry);
          held.sort((a, b) => a.rank - b.rank || a.name - b.name);
          const over = queue.overflow();
          assert.deepEqual(over.toReversed(), held.splice(held.length - over.length));
          assert.deepEqual(queue.inOrder(), held);
          assert.ok(entries === 0 || queue.length <= entries);
          assert.ok(held.reduce((sum, { bytes }) => sum + bytes, 0) <= bytes);
        });
        for (const one of held) assert.ok(queue.remove(one));
        assert.equal(queue.length, 0);
        for (const one of held) assert.ok(!queue.remove(one));
      }),
    );
  });
});

describe('routing: retry-after', () => {
  it('is the time that the measured rate takes for those who wait already', () => {
    const twoASecond = { places: 4, serviceMs: 2_000 };
    assert.equal(retryAfterS(0, [twoASecond]), 1);
    assert.equal(retryAfterS(39, [twoASecond]), 20);
    assert.equal(retryAfterS(39, [twoASecond, twoASecond]), 10);
    assert.equal(retryAfterS(1_000_000, [twoASecond]), 120);
  });

  it('follows what requests take lately', () => {
    let ms: number | undefined;
    for (let request = 0; request < 50; request++) ms = averaged(ms, 1_000);
    assert.equal(ms, 1_000);
    for (let request = 0; request < 50; request++) ms = averaged(ms, 3_000);
    assert.ok(ms !== undefined && ms > 2_900 && ms < 3_000);
  });
});
