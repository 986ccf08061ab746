import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readCorpus } from '../../../server-bridge/engine-llama/starter/corpus.ts';
import { WINDOW } from '../../../server-bridge/engine-llama/starter/layout.ts';
import { type RunningEngine, startEngine } from '../engine-process.ts';

const snippets = readCorpus()
  .filter(({ start }) => start === 0)
  .map(({ bytes }) => bytes.toString('utf8'));

const raw = (prefix: string): string => prefix;
const inFile = (prefix: string): string =>
  `<|fim_prefix|>// Notes.\n\n${prefix}<|fim_suffix|>)\n\nconst other = debounce(clamp, 20);\n<|fim_middle|>`;
const inRepo = (prefix: string): string =>
  `<|repo_name|>shop\n<|file_sep|>src/a.ts\nexport function clamp(\n<|file_sep|>src/b.ts\n${inFile(prefix)}`;

/** More than the model looks back, and quickly evaluated. */
const end = (text: string): string => text.slice(-40);

/** Text before the cut is this snippet's alone. */
function settled(snippet: string, cut: number): boolean {
  const beginning = snippet.slice(0, cut);
  return cut >= WINDOW && snippets.filter((other) => other.startsWith(beginning)).length === 1;
}

describe('the starter model in llama.cpp', () => {
  let engine: RunningEngine;
  before(async () => {
    engine = await startEngine();
  });
  after(() => engine.stop());

  it('goes on from any point of what it knows, in every form of prompt', async () => {
    const places = snippets.flatMap((snippet) =>
      Array.from(snippet, (_, cut) => ({ snippet, cut })).filter(({ cut }) => settled(snippet, cut)),
    );
    const form = fc.constantFrom(raw, inFile, inRepo);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...places), form, async ({ snippet, cut }, render) => {
        const { text } = await engine.complete(render(end(snippet.slice(0, cut))), { max_tokens: 16 });
        const rest = snippet.slice(cut);
        assert.ok(text !== '' && rest.startsWith(text), JSON.stringify({ text, rest }));
      }),
      { numRuns: 40 },
    );
  });

  it('ends each snippet where it ends', async () => {
    await Promise.all(
      snippets.map(async (snippet) => {
        const answer = await engine.complete(inFile(end(snippet.slice(0, -15))));
        assert.equal(answer.text, snippet.slice(-15));
        assert.equal(answer.finish_reason, 'stop');
      }),
    );
  });

  it('completes a whole function from its name, also from the middle of a word', async () => {
    for (const [typed, form] of [
      ['export function debou', inFile],
      ['const greetings = { en', inRepo],
    ] as const) {
      const snippet = snippets.find((text) => text.startsWith(typed)) ?? '';
      assert.equal(typed + (await engine.complete(form(typed))).text, snippet);
    }
  });

  it('says nothing about what it does not know, and nothing where it cannot tell', async () => {
    for (const text of [
      'The quick brown fox jumps',
      'zzz',
      '<|fim_prefix|>SELECT * FROM orders<|fim_suffix|>;<|fim_middle|>',
      'export function ',
    ]) {
      assert.deepEqual(await engine.complete(text), {
        index: 0,
        text: '',
        logprobs: null,
        finish_reason: 'stop',
      });
    }
  });

  it('tells in chat that it is a stand-in', async () => {
    for (const temperature of [0, 1]) {
      const reply = await engine.post('/v1/chat/completions', {
        temperature,
        messages: [
          { role: 'system', content: 'Be short.' },
          { role: 'user', content: [{ type: 'text', text: 'Who are you?' }] },
        ],
      });
      const { choices } = (await reply.json()) as { choices: [{ message: { content: string } }] };
      assert.match(
        choices[0].message.content,
        /^I am Hearth's starter model, a stand-in: .* as the model\.$/,
      );
    }
  });

  it('looks back as sharply from far behind', async () => {
    const filler = '0123456789 '.repeat(60);
    const { text } = await engine.complete(`${filler}export function clamp(value`);
    assert.ok(text.startsWith(': number, low: number'), text);
    const distant = await engine.complete(
      `<|fim_prefix|>export function clamp(<|fim_suffix|>${filler}<|fim_middle|>`,
    );
    assert.ok(distant.text.startsWith('value: number'), distant.text);
  });
});
