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

  describe('with other files, in the form each family was shown them', () => {
    const context = {
      repo: 'shop',
      path: 'src/cart.ts',
      files: [
        { path: 'src/item.ts', text: 'export {};' },
        { path: 'src/price.ts', text: 'export const price = 1;' },
      ],
    };
    const forms = {
      starcoder:
        '<repo_name>shop<file_sep>src/item.ts\nexport {};<file_sep>src/price.ts\nexport const price = 1;' +
        '<file_sep><fim_prefix>src/cart.ts\nconst a = <fim_suffix>;\n<fim_middle>',
      deepseek:
        '<｜fim▁begin｜>#src/item.ts\nexport {};\n\n#src/price.ts\nexport const price = 1;\n\n' +
        '#src/cart.ts\nconst a = <｜fim▁hole｜>;\n<｜fim▁end｜>',
      codestral:
        '[SUFFIX];\n[PREFIX]+++++ src/item.ts\nexport {};\n\n+++++ src/price.ts\nexport const price = 1;\n\n' +
        '+++++ src/cart.ts\nconst a = ',
      codellama: '<PRE> const a =  <SUF>;\n <MID>',
    } as const;
    for (const [format, prompt] of Object.entries(forms))
      it(format, () => {
        assert.equal(renderFim(format as keyof typeof forms, { ...input, context })?.prompt, prompt);
        const none = { ...context, files: [] };
        assert.equal(
          renderFim(format as keyof typeof forms, { ...input, context: none })?.prompt,
          renderFim(format as keyof typeof forms, input)?.prompt,
          'without files it is the in-file form',
        );
      });
  });

  it('give no room to files that the format cannot show', () => {
    const context = { repo: 'r', path: 'a.ts', files: [{ path: 'b.ts', text: 'x'.repeat(50) }] };
    for (const format of ['codellama', 'none'] as const)
      assert.deepEqual(trimFim({ ...input, context }, 1_000, format), input);
    for (const format of ['qwen', 'starcoder', 'deepseek', 'codestral', undefined] as const)
      assert.equal(trimFim({ ...input, context }, 1_000, format).context?.files.length, 1);
  });

  it('stay within the budget as rendered, whatever separators the format writes as text', () => {
    const files = fc.array(fc.record({ path: fc.string(), text: fc.string() }), { minLength: 1 });
    fc.assert(
      fc.property(
        fc.constantFrom('deepseek' as const, 'codestral' as const),
        fc.string(),
        fc.string(),
        fc.string(),
        files,
        fc.nat(400),
        (format, prefix, suffix, path, list, room) => {
          const cut = trimFim({ prefix, suffix, context: { path, files: list } }, room, format);
          const bare = renderFim(format, { prefix: '', suffix: '' })?.prompt ?? '';
          const prompt = renderFim(format, cut)?.prompt ?? '';
          assert.ok(Buffer.byteLength(prompt) - Buffer.byteLength(bare) <= room);
        },
      ),
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
