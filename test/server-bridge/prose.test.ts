import assert from 'node:assert/strict';
import { proseIn } from '../../server-bridge/src/models/prose.ts';

describe('prose in a completion', () => {
  for (const code of [
    'Math.min(Math.max(value, low), high);',
    'here = 1',
    'the_code = 2',
    '// here is the loop\nfor (;;) {}',
    'okay();',
    '`text`',
    'const surely = 1;',
  ])
    it(`is not seen in ${JSON.stringify(code)}`, () => {
      assert.equal(proseIn(code), undefined);
    });

  for (const [text, why] of [
    ['', /empty/],
    [' \n', /empty/],
    ['```ts\nreturn 1;\n```', /Markdown/],
    ['Sure! The missing code is:', /chat answer/],
    ['Here is the completed function', /chat answer/],
    ["Here's what goes there: return", /chat answer/],
    ['The function should return the sum.', /chat answer/],
    ['return 1;<|fim_pad|>', /special tokens/],
    ['return 1;<fim_middle>', /special tokens/],
  ] as const)
    it(`is seen in ${JSON.stringify(text)}`, () => {
      assert.match(proseIn(text) ?? '', why);
    });
});
