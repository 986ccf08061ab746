import assert from 'node:assert/strict';
import fc from 'fast-check';
import { renderFim, trimFim } from '../../server-bridge/src/models/fim.ts';

describe('fill-in-the-middle prompts', () => {
  const input = { prefix: 'const a = ', suffix: ';\n' };

  it('are in each family’s own words', () => {
    const prompts = Object.fromEntries(
      (['qwen', 'codellama', 'deepseek', 'starcoder', 'codestral'] as const).map((format) => [
        format,
        renderFim(format, input)?.prompt,
      ]),
    );
    assert.deepEqual(prompts, {
      qwen: '<|fim_prefix|>const a = <|fim_suffix|>;\n<|fim_middle|>',
      codellama: '<PRE> const a =  <SUF>;\n <MID>',
      deepseek: '<｜fim▁begin｜>const a = <｜fim▁hole｜>;\n<｜fim▁end｜>',
      starcoder: '<fim_prefix>const a = <fim_suffix>;\n<fim_middle>',
      codestral: '[SUFFIX];\n[PREFIX]const a = ',
    });
    assert.equal(renderFim('none', input), undefined);
  });

  it("put other files first, in Qwen's repository format", () => {
    const context = {
      repo: 'shop',
      path: 'src/cart.ts',
      files: [{ path: 'src/item.ts', text: 'export {};' }],
    };
    assert.equal(
      renderFim('qwen', { ...input, context })?.prompt,
      '<|repo_name|>shop\n<|file_sep|>src/item.ts\nexport {};\n<|file_sep|>src/cart.ts\n' +
        '<|fim_prefix|>const a = <|fim_suffix|>;\n<|fim_middle|>',
    );
  });

  it('never stop at text that could stand in a source file', () => {
    for (const format of ['qwen', 'codellama', 'deepseek', 'starcoder', 'codestral'] as const)
      for (const stop of renderFim(format, input)?.stop ?? []) assert.match(stop, /^(<.*>|\[[A-Z]+\])$/);
  });

  it('are cut to what fits: the end of the prefix and the start of the suffix stay, files leave from the last', () => {
    const files = fc.array(fc.record({ path: fc.string(), text: fc.string({ unit: 'binary' }) }));
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        files,
        fc.nat(400),
        (prefix, suffix, list, room) => {
          const cut = trimFim({ prefix, suffix, context: { files: list } }, room);
          const kept = cut.context?.files ?? [];
          const bytes = (...texts: string[]) => Buffer.byteLength(texts.join(''));
          const size = bytes(cut.prefix, cut.suffix, ...kept.flatMap((one) => [one.path, one.text]));
          assert.ok(size <= room);
          assert.ok(prefix.endsWith(cut.prefix));
          assert.ok(suffix.startsWith(cut.suffix));
          assert.deepEqual(kept, list.slice(0, kept.length));
          assert.ok(cut.prefix.isWellFormed() || !prefix.isWellFormed());
          assert.ok(cut.suffix.isWellFormed() || !suffix.isWellFormed());
          if (bytes(prefix, suffix) <= room) assert.deepEqual([cut.prefix, cut.suffix], [prefix, suffix]);
        },
      ),
    );
  });
});
