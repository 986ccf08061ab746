import assert from 'node:assert/strict';
import { effectiveTarget } from '../../extension/src/setting-target.ts';

describe('settings: where one is written', () => {
  it('is where its value stands, or the user’s settings', () => {
    assert.deepEqual(effectiveTarget(undefined, true), { scope: 'global', language: false });
    assert.deepEqual(effectiveTarget({ workspaceValue: false }, true), {
      scope: 'workspace',
      language: false,
    });
    const folder = { workspaceFolderValue: 'a', workspaceValue: 'b' };
    assert.deepEqual(effectiveTarget(folder, true), { scope: 'workspaceFolder', language: false });
    // The editor lets a language's value outdo all that are for every language.
    const language = { globalLanguageValue: true, ...folder };
    assert.deepEqual(effectiveTarget(language, true), { scope: 'global', language: true });
    const both = { ...language, workspaceLanguageValue: false };
    assert.deepEqual(effectiveTarget(both, true), { scope: 'workspace', language: true });
    const all = { ...both, workspaceFolderLanguageValue: false };
    assert.deepEqual(effectiveTarget(all, true), { scope: 'workspaceFolder', language: true });
  });

  it('is the workspace for a single folder, whose values have both names', () => {
    const twice = { workspaceValue: 'a', workspaceFolderValue: 'a' };
    assert.deepEqual(effectiveTarget(twice, false), { scope: 'workspace', language: false });
  });
});
