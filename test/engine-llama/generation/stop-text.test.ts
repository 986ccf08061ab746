import assert from 'node:assert/strict';
import fc from 'fast-check';
import { StopText } from '../../../server-bridge/engine-llama/src/generation/stop-text.ts';

function run(
  pieces: readonly string[],
  stops: readonly string[],
): { shown: string[]; text: string; stopped: boolean } {
  const scanner = new StopText(stops);
  const shown: string[] = [];
  for (const piece of pieces) {
    const { text, stopped } = scanner.push(piece);
    shown.push(text);
    if (stopped) return { shown, text: shown.join(''), stopped };
  }
  shown.push(scanner.flush());
  return { shown, text: shown.join(''), stopped: false };
}

describe('StopText', () => {
  it('gives the same answer however the text is cut into pieces', () => {
    const letters = fc.constantFrom('a', 'b', '\n');
    const word = fc.array(letters, { minLength: 1, maxLength: 4 }).map((part) => part.join(''));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), fc.array(word, { maxLength: 3 }), (pieces, stops) => {
        const whole = pieces.join('');
        const found = stops.map((stop) => whole.indexOf(stop)).filter((at) => at >= 0);
        const { text, stopped } = run(pieces, stops);
        assert.equal(text, run(Array.from(whole), stops).text);
        assert.equal(stopped, found.length > 0);
        if (!stopped) assert.equal(text, whole);
        assert.ok(stops.every((stop) => !text.includes(stop)));
        assert.ok(whole.startsWith(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('holds back what may become a stop text, and gives it out when it does not', () => {
    assert.deepEqual(run(['one\n', '\n', 'two'], ['\n\n']).shown, ['one', '']);
    assert.deepEqual(run(['one\n', 'two'], ['\n\n']).shown, ['one', '\ntwo', '']);
    assert.deepEqual(run(['one\n'], ['\n\n']).shown, ['one', '\n']);
  });

  it('ignores empty stop texts', () => {
    assert.deepEqual(run(['one'], ['']), { shown: ['one', ''], text: 'one', stopped: false });
  });
});
