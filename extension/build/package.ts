/** Makes the VSIX, `dist/hearth.vsix`, from the manifest and the bundle; refuses one that has grown beyond its limit. */
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVSIX } from '@vscode/vsce';
import { bundleExtension } from './bundle.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const VSIX = join(ROOT, 'dist', 'hearth.vsix');

const LIMIT_BYTES = 2_000_000;

/** What the VSIX is made of: any of it newer, and the VSIX is stale. */
const SOURCES = [
  'extension/src',
  'server-bridge/protocol',
  'media',
  'l10n',
  'package.json',
  'package.nls.json',
  'package.nls.ru.json',
];

/** Bundles and packages. Gives the size in bytes; throws when it is over 2 MB. */
export async function packageExtension(): Promise<number> {
  await bundleExtension();
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  await createVSIX({
    cwd: ROOT,
    packagePath: VSIX,
    dependencies: false,
    allowMissingRepository: true,
    rewriteRelativeLinks: false,
  });
  const { size } = statSync(VSIX);
  if (size > LIMIT_BYTES) throw new Error(`${VSIX} has ${size} bytes; the limit is ${LIMIT_BYTES}`);
  return size;
}

/** The VSIX's path; packages it first when there is none or a source is newer. */
export async function currentVsix(): Promise<string> {
  const made = statSync(VSIX, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (SOURCES.some((source) => newest(join(ROOT, source)) > made)) await packageExtension();
  return VSIX;
}

function newest(path: string): number {
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  const inside = readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .map((name) => newest(join(path, name)));
  return Math.max(0, ...inside);
}

if (import.meta.main) console.log(`${VSIX}: ${Math.round((await packageExtension()) / 1_000)} kB`);
