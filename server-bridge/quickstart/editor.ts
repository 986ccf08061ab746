/** Makes the VS Code extension and, where VS Code's command is on PATH, installs it. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Editor =
  | { kind: 'installed' }
  /** Made, but there is no VS Code to put it into, or that refused. The file, as seen from the working directory. */
  | { kind: 'made'; file: string }
  | { kind: 'failed'; reason: string };

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PACKAGER = join(ROOT, 'extension', 'build', 'package.ts');
const VSIX = join(ROOT, 'dist', 'hearth.vsix');

export async function prepareEditor(environment: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Editor> {
  try {
    await run(process.execPath, [PACKAGER], { cwd: ROOT, signal });
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return { kind: 'failed', reason: stderr?.trim() || message };
  }
  const file = relative(process.cwd(), VSIX);
  const code = onPath('code', environment.PATH ?? '');
  if (code === undefined) return { kind: 'made', file };
  try {
    await run(code, ['--install-extension', VSIX, '--force'], { signal });
    return { kind: 'installed' };
  } catch {
    // VS Code refuses for reasons of its own (root, a remote shell): the command to do it by hand says them best.
    return { kind: 'made', file };
  }
}

function onPath(program: string, path: string): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((file) => existsSync(file));
}
