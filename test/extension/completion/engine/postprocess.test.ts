import assert from 'node:assert/strict';
import fc from 'fast-check';
import { postprocess } from '../../../../extension/src/completion/engine/postprocess.ts';

/** [what it is about, the model's text, the document behind the cursor, what is inserted] */
const CASES: [string, string, string, string][] = [
  ['leaves a plain line', 'return a + b;', '\n}\n', 'return a + b;'],
  ['takes off blank ends', 'return a;\n\n', '', 'return a;'],
  ['shows nothing for blanks', ' \n\t\n', '', ''],
  ['doesn’t double a bracket that closes here', 'a, b)', ')', 'a, b'],
  ['nor a bracket and what follows it', 'a, b);', ');', 'a, b'],
  ['keeps a bracket of its own', 'foo()', ')', 'foo()'],
  ['takes off only the foreign one of two', 'foo())', ')', 'foo()'],
  ['keeps a bracket of its own before a semicolon', 'foo();', ';', 'foo()'],
  ['doesn’t double a quote', 'world"', '"', 'world'],
  ['keeps the quotes of its own', 'say("hi"', '"', 'say("hi"'],
  ['doesn’t double a brace that opens behind', 'if (ready) {', ' {', 'if (ready)'],
  ['ends before the document’s next line', 'return a;\n}', '\n}\n', 'return a;'],
  ['also when it goes on behind it', 'return a;\n}\n\nfunction c() {', '\n}\n', 'return a;'],
  ['not at a line indented otherwise', 'if (a) {\n    b();\n  }', '\n}\n', 'if (a) {\n    b();\n  }'],
  ['takes CRLF for a line end', 'a;\r\nb;', '', 'a;\nb;'],
  ['looks over blank lines below', 'return a;\n}', '\n\n}\n', 'return a;'],
];

describe('completion: postprocess', () => {
  for (const [what, completion, suffix, inserted] of CASES)
    it(what, () => assert.equal(postprocess(completion, suffix), inserted));

  it('only ever shortens the model’s text (property)', () => {
    const code = fc.string({ unit: fc.constantFrom('a', ' ', '(', ')', '{', '}', '"', ';', '\n') });
    fc.assert(
      fc.property(code, code, (completion, suffix) => {
        assert.ok(completion.startsWith(postprocess(completion, suffix)));
      }),
    );
  });
});
