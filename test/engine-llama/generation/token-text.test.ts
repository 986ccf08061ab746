import assert from 'node:assert/strict';
import fc from 'fast-check';
import { TokenText } from '../../../server-bridge/engine-llama/src/generation/token-text.ts';

const bytesToText = (bytes: readonly number[]): string => Buffer.from(bytes).toString('utf8');

describe('TokenText', () => {
  it('gives whole characters only, and all of them', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const characters = new TokenText(bytesToText);
        const pieces = [...Buffer.from(text)].map((byte) => characters.push(byte));
        assert.equal(pieces.join(''), text);
        assert.ok(pieces.every((piece) => !piece.includes('\uFFFD')));
      }),
    );
  });

  it('never gives the beginning of a character that does not come', () => {
    const characters = new TokenText(bytesToText);
    assert.equal(characters.push(0xd0), '');
  });

  it('does not wait for ever on bytes that are no text', () => {
    const characters = new TokenText(bytesToText);
    const text = [0xff, 0xff, 0xff, 0xff].map((byte) => characters.push(byte)).join('');
    assert.equal(text, '\uFFFD'.repeat(4));
  });
});
