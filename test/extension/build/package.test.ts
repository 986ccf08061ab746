import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PackageManager, listFiles } from '@vscode/vsce';
import { currentVsix } from '../../../extension/build/package.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

describe('the VSIX', function () {
  this.timeout(30_000);

  it('holds what is let in and nothing else, and stays under 2 MB', async () => {
    const vsix = await currentVsix();
    assert.ok(statSync(vsix).size < 2_000_000);
    assert.deepEqual((await listFiles({ cwd: ROOT, packageManager: PackageManager.None })).toSorted(), [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'extension/dist/main.cjs',
      'l10n/bundle.l10n.ru.json',
      'media/completion.png',
      'media/fallback.png',
      'media/icon.png',
      'package.json',
      'package.nls.json',
      'package.nls.ru.json',
    ]);
  });
});
