import assert from 'node:assert/strict';
import { duration } from '@hearth/protocol';
import fc from 'fast-check';

describe('durations', () => {
  it('are numbers with a unit, in milliseconds', () => {
    const unit = fc.constantFrom<[string, number]>(
      ['ms', 1],
      ['s', 1_000],
      ['m', 60_000],
      ['h', 3_600_000],
      ['d', 86_400_000],
    );
    fc.assert(
      fc.property(fc.nat(100_000), unit, (count, [name, ms]) => {
        assert.equal(duration.parse(`${count}${name}`), count * ms);
      }),
    );
    for (const wrong of ['', '5', 's', '1.5s', '-1s', '5 s', '5sec'])
      assert.ok(!duration.safeParse(wrong).success, wrong);
  });
});
