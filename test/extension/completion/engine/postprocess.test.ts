import assert from 'node:assert/strict';
import fc from 'fast-check';
import { postprocess } from '../../../../extension/src/completion/engine/postprocess.ts';

/** The document after the completion was taken; `|` is the cursor. */
function accepted(document: string, completion: string): string {
  const [before = '', behind = ''] = document.split('|');
  const insertion = postprocess(completion, behind);
  if (insertion === undefined) return before + behind;
  return before + insertion.text + behind.slice(insertion.replaceAfter);
}

/** [what it is about, the document with its cursor, the model's text, the document once that is accepted] */
const CASES: [string, string, string, string][] = [
  ['leaves a plain line', '  |\n}', 'return a + b;', '  return a + b;\n}'],
  ['takes off blank ends', '|', 'return a;\n\n', 'return a;'],
  ['shows nothing for blanks', '|', ' \n\t\n', ''],
  ['takes CRLF for a line end', '|', 'a;\r\nb;', 'a;\nb;'],

  ['doesn’t double a bracket', 'sum(|)', 'a, b)', 'sum(a, b)'],
  ['nor a bracket and what follows it', 'sum(|);', 'a, b);', 'sum(a, b);'],
  ['nor a semicolon', 'x = |;', 'sum();', 'x = sum();'],
  ['nor a quote', 'say("|")', 'world"', 'say("world")'],
  ['nor a quote and a bracket', 'say("|")', 'world", name)', 'say("world", name)'],
  ['nor a comma', '{ a: |,', '1,', '{ a: 1,'],
  ['keeps a bracket of its own', 'x = (|)', 'sum()', 'x = (sum())'],
  ['and doubles only the other of two', 'x = (|)', 'sum())', 'x = (sum())'],
  ['keeps quotes of its own', 'f(|"")', '"a", ', 'f("a", "")'],
  ['keeps a bracket in a string', 'f(|)', '")")', 'f(")")'],
  ['and a semicolon that ends something else', 'x = |;', 'a();\nif (b) {\n}', 'x = a();\nif (b) {\n};'],

  [
    'opens a block over several lines',
    'function f() {|}',
    '\n  return 1;\n}',
    'function f() {\n  return 1;\n}',
  ],
  ['also without the last line', 'function f() {|}', '\n  return 1;\n', 'function f() {\n  return 1;\n}'],
  [
    'also when the document’s next line is the same',
    '{\nif (a) {|}\n}',
    '\n  b();\n}',
    '{\nif (a) {\n  b();\n}\n}',
  ],
  ['an object with its semicolon', 'const x = {|};', '\n  a: 1,\n};', 'const x = {\n  a: 1,\n};'],
  ['a closer in the midst of the text', 'console.log(|)', '"x");\nreturn 1;', 'console.log("x");\nreturn 1;'],
  ['with a semicolon', 'console.log(|);', '"x");\nreturn 1;', 'console.log("x");\nreturn 1;'],
  ['two closers', 'it("a", () => {|})', '\n  ok();\n});', 'it("a", () => {\n  ok();\n});'],
  ['closers with something between', 'f(() => {|})', '\n  a();\n}, 100)', 'f(() => {\n  a();\n}, 100)'],
  ['closers on other lines', 'f({|})', '\n  a: 1,\n})\nb();', 'f({\n  a: 1,\n})\nb();'],
  ['a closer that another line needs stays', 'f(g(|)', 'a))', 'f(g(a))'],

  ['keeps the blank before what follows', 'return |load(x);', 'await ', 'return await load(x);'],
  ['in a list too', 'f(|b)', 'a, ', 'f(a, b)'],
  ['keeps a digit that stands behind too', 'const n = |10;', '1', 'const n = 110;'],
  ['and a letter', 'f(|a)', 'banana', 'f(bananaa)'],
  ['doesn’t say a call again', 'return |load(x);', 'await load(x);', 'return await load(x);'],
  ['nor arguments', 'f(|, b)', 'a, b)', 'f(a, b)'],
  ['nor a comma before one', 'f(|, b)', 'a,', 'f(a, b)'],
  ['has its own commas', 'f(|, b)', 'a, c', 'f(a, c, b)'],
  ['doesn’t double a brace that opens', 'if (|) {', 'ready) {\n  go();', 'if (ready) {\n  go();'],
  ['nor the brace alone', '|  {', 'if (ready)  {', 'if (ready)  {'],
  ['closes here and goes on there', 'if (|) {', 'ready)', 'if (ready) {'],

  ['ends before the document’s next line', '  |\n}\n', 'return a;\n}', '  return a;\n}\n'],
  ['also when it goes on behind it', '  |\n}\n', 'return a;\n}\n\nfunction c() {', '  return a;\n}\n'],
  ['over blank lines too', '  |\n\n}\n', 'return a;\n}', '  return a;\n\n}\n'],
  [
    'but not at one indented otherwise',
    '  |\n}\n',
    'if (a) {\n    b();\n  }',
    '  if (a) {\n    b();\n  }\n}\n',
  ],
];

describe('completion: postprocess', () => {
  for (const [what, document, completion, expected] of CASES)
    it(`${what}: ${document.replaceAll('\n', '⏎')}`, () =>
      assert.equal(accepted(document, completion), expected));

  const CLOSER: Record<string, string> = { '(': ')', '[': ']', '{': '}' };
  const piece = fc.constantFrom('a', 'b(c)', '{ d: [1] }', '"(x"', "')'", '\n  ', ' ', ', ', '; ');
  const balanced = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
  const tight = (text: string) => text.replaceAll(/\s/g, '');

  it('never doubles a closer that was typed by the editor (property)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('(', '[', '{'), { minLength: 1, maxLength: 3 }),
        fc.array(balanced, { minLength: 3, maxLength: 3 }),
        fc.constantFrom('', ';', '\n  more();'),
        fc.constantFrom('', ';'),
        (openers, inner, after, behind) => {
          const closers = openers.toReversed().map((opener) => CLOSER[opener] ?? '');
          const completion = closers.map((closer, index) => `${inner[index]}${closer}`).join('') + after;
          const document = `${openers.join('')}|${closers.join('')}${behind}\n`;
          const result = tight(accepted(document, completion));
          const wanted = tight(openers.join('') + completion);
          // The semicolon behind the cursor may stay, the closers not.
          assert.ok(
            result === wanted || (behind === ';' && result === `${wanted};`),
            `${result} ≠ ${wanted}`,
          );
        },
      ),
    );
  });

  it('replaces within the line only, and only what its text has in that order (property)', () => {
    const code = fc.string({ unit: fc.constantFrom('a', ' ', '(', ')', '{', '}', '"', ';', ',', '\n') });
    fc.assert(
      fc.property(code, code, (completion, suffix) => {
        const insertion = postprocess(completion, suffix);
        if (insertion === undefined) return;
        const replaced = suffix.slice(0, insertion.replaceAfter);
        assert.ok(!replaced.includes('\n'));
        let at = 0;
        for (const character of tight(replaced)) {
          at = insertion.text.indexOf(character, at) + 1;
          assert.notEqual(at, 0, `${replaced} in ${insertion.text}`);
        }
      }),
      { numRuns: 500 },
    );
  });
});
