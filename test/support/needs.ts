/** What a test needs from the machine: present, or skipped in one honest line; under CI a missing part fails. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { Context } from 'mocha';
import { findCodeServer } from '../../extension/web-editor/code-server.ts';

const SYSTEM_PATH = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

function onPath(program: string): boolean {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...SYSTEM_PATH];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Each need, and whether this machine meets it. `test/setup` installs those that Debian has. */
const NEEDS = {
  root: () => process.getuid?.() === 0,
  namespaces: () => process.platform === 'linux' && onPath('ip') && onPath('nft'),
  curl: () => onPath('curl'),
  wireguard: () => onPath('wg') && onPath('wireguard-go'),
  chromium: () => onPath('chromium'),
  'code-server': () => findCodeServer() !== undefined,
} satisfies Record<string, () => boolean>;

export type Need = keyof typeof NEEDS;

/** Call first in `before()`: skips the suite on a machine that lacks something, or fails it under CI. */
export function needs(test: Context, ...wanted: Need[]): void {
  const missing = wanted.filter((need) => !NEEDS[need]());
  if (missing.length === 0) return;
  const line = `needs ${missing.join(', ')}; run "npm run test:setup" as root, or install by hand`;
  if (process.env.CI === 'true') throw new Error(line);
  console.log(`    skipped: ${line}`);
  test.skip();
}
