/** Every word of the extension has its Russian: the manifest's, and each string handed to `l10n.t`. */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');
const table = (path: string) => JSON.parse(read(path)) as Record<string, string>;
const holes = (text: string) => (text.match(/\{\d\}/g) ?? []).toSorted();

/** The strings given to `t(…)` or `l10n.t(…)` in the sources. */
function usedStrings(): string[] {
  const folder = fileURLToPath(new URL('extension/src', ROOT));
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(`extension/src/${name}`));
  const call = /\bt\(\s*(['"])((?:(?!\1).)*)\1/g;
  return [...new Set(sources.flatMap((source) => [...source.matchAll(call)].map((match) => match[2] ?? '')))];
}

describe('words', () => {
  it('has a Russian string for every English one in the code, and no others', () => {
    const used = usedStrings();
    assert.ok(used.length > 30, `only ${used.length} strings found: the search is broken`);
    assert.deepEqual(Object.keys(table('l10n/bundle.l10n.ru.json')).toSorted(), used.toSorted());
  });

  it('keeps the places to fill in', () => {
    for (const [english, russian] of Object.entries(table('l10n/bundle.l10n.ru.json')))
      assert.deepEqual(holes(russian), holes(english), english);
  });

  it('has both languages of every manifest string, and no others', () => {
    const used = [
      ...new Set([...read('package.json').matchAll(/"%([^%"]+)%"/g)].map((match) => match[1] ?? '')),
    ];
    assert.ok(used.length > 10);
    for (const file of ['package.nls.json', 'package.nls.ru.json'])
      assert.deepEqual(Object.keys(table(file)).toSorted(), used.toSorted(), file);
  });

  it('is Russian where it says so', () => {
    for (const file of ['l10n/bundle.l10n.ru.json', 'package.nls.ru.json'])
      for (const [key, text] of Object.entries(table(file)))
        if (text !== 'Hearth') assert.match(text.replace('{0} → {1} (', 'я'), /[а-яё]/i, key);
  });
});
