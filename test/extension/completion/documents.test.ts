import assert from 'node:assert/strict';
import { SCHEMES, sentPath } from '../../../extension/src/completion/documents.ts';

describe('completion: documents', () => {
  it('says of a file outside the workspace its name only', () => {
    assert.equal(sentPath('/home/someone/shop/a/b.ts', 'a/b.ts'), 'a/b.ts');
    assert.equal(sentPath('/home/someone/secret/notes.md', undefined), 'notes.md');
    assert.equal(sentPath('Untitled-1', undefined), 'Untitled-1');
  });

  it('are cells of notebooks too', () => {
    assert.ok(SCHEMES.includes('vscode-notebook-cell'));
  });
});
