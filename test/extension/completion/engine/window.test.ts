import assert from 'node:assert/strict';
import fc from 'fast-check';
import { WINDOW, windowAround } from '../../../../extension/src/completion/engine/window.ts';

const text = fc.string({
  unit: fc.constantFrom('a', '\n', '\r\n', '🔥', 'é'),
  maxLength: 9_000,
  size: 'max',
});

describe('completion: window', () => {
  it('is the text next to the cursor, within its limits, no half characters, no CR (property)', () => {
    fc.assert(
      fc.property(text, text, (before, behind) => {
        const { prefix, suffix } = windowAround(before, behind);
        assert.ok(before.replaceAll('\r\n', '\n').endsWith(prefix));
        assert.ok(behind.replaceAll('\r\n', '\n').startsWith(suffix));
        assert.ok(prefix.length <= WINDOW.prefix && suffix.length <= WINDOW.suffix);
        assert.ok(prefix.isWellFormed() && suffix.isWellFormed());
        assert.ok(!(prefix + suffix).includes('\r'));
      }),
      { numRuns: 30 },
    );
  });

  it('starts a cut prefix at a line', () => {
    const { prefix } = windowAround('const x = 1;\n'.repeat(1_000), '');
    assert.ok(prefix.length > WINDOW.prefix - 20);
    assert.ok(prefix.startsWith('const'));
  });

  it('cuts no character in two where there is no line to start at', () => {
    const flames = '🔥'.repeat(4_000);
    const { prefix, suffix } = windowAround(`${flames}a`, `a${flames}`);
    assert.ok(prefix.isWellFormed() && suffix.isWellFormed());
    assert.deepEqual([prefix.length, suffix.length], [WINDOW.prefix - 1, WINDOW.suffix - 1]);
  });

  it('leaves a short document whole', () => {
    assert.deepEqual(windowAround('a\nb', 'c\nd'), { prefix: 'a\nb', suffix: 'c\nd' });
  });
});
