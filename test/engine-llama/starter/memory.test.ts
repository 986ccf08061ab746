import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Snippet, associate } from '../../../server-bridge/engine-llama/starter/memory.ts';

const lengths = { shortest: 2, longest: 4 };

function snippet(text: string): Snippet {
  return { name: text, bytes: Buffer.from(text), start: 0 };
}

describe('associate', () => {
  it('takes the shortest context that settles the next byte', () => {
    const found = associate([snippet('abcab!')], lengths).map(({ context, next }) => [
      context.toString(),
      String.fromCharCode(next),
    ]);
    assert.deepEqual(found, [
      ['bc', 'a'],
      ['ca', 'b'],
      ['cab', '!'],
    ]);
  });

  it('refuses texts that no context can tell apart', () => {
    assert.throws(() => associate([snippet('1abcdX'), snippet('2abcdY')], lengths), /"abcd" is followed by/);
  });

  it('never lets two contexts fire with different answers', () => {
    const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 12 }).map((letters) => letters.join(''));
    fc.assert(
      fc.property(text, text, (one, two) => {
        let associations;
        try {
          associations = associate([snippet(one), snippet(two)], lengths);
        } catch {
          return; // Refused: nothing to hold.
        }
        for (const short of associations) {
          for (const long of associations) {
            const ends = long.context.subarray(-short.context.length).equals(short.context);
            if (ends) assert.equal(short.next, long.next);
          }
        }
      }),
    );
  });
});
