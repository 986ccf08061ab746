/** `npm run test:desktop`: the packaged extension in Microsoft's own VS Code, on a machine that can download it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { downloadAndUnzipVSCode, resolveCliArgsFromVSCodeExecutablePath } from '@vscode/test-electron';
import { currentVsix } from '../../extension/build/package.ts';
import manifest from '../../package.json' with { type: 'json' };

const vsix = await currentVsix();
const home = mkdtempSync(join(tmpdir(), 'hearth-desktop-'));
try {
  const [program, ...rest] = resolveCliArgsFromVSCodeExecutablePath(await downloadAndUnzipVSCode('stable'));
  if (program === undefined) throw new Error('VS Code came without its command');
  const code = (...args: string[]) =>
    spawnSync(
      program,
      [...rest, '--user-data-dir', home, '--extensions-dir', join(home, 'extensions'), ...args],
      {
        encoding: 'utf8',
      },
    );
  const installed = code('--install-extension', vsix, '--force');
  const listed = code('--list-extensions', '--show-versions').stdout.trim();
  const wanted = `${manifest.publisher}.${manifest.name}@${manifest.version}`;
  if (listed !== wanted)
    throw new Error(`VS Code lists "${listed}" instead of "${wanted}":\n${installed.stderr}`);
  console.log(`VS Code took ${wanted}`);
} finally {
  rmSync(home, { recursive: true, force: true });
}
