/** Where the code-server package (the whole VS Code workbench, from npm) is kept: a cache outside the tree, by version. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export const CODE_SERVER_VERSION = '4.139.1';

/** The folder that one version is installed into; it may not exist yet. */
export function codeServerCache(): string {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
  return join(cache, 'hearth', `code-server-${CODE_SERVER_VERSION}`);
}

/** The installed package's folder, or undefined before its first install. */
export function findCodeServer(): string | undefined {
  const folder = join(codeServerCache(), 'node_modules', 'code-server');
  return existsSync(join(folder, 'lib', 'vscode', 'out', 'server-main.js')) ? folder : undefined;
}
