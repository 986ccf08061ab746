/** Bundles the extension into the one file that ships, `extension/dist/main.cjs`. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Rejects with esbuild's own words when a source doesn't compile. */
export async function bundleExtension(): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['extension/src/main.ts'],
    outfile: 'extension/dist/main.cjs',
    bundle: true,
    minify: true,
    platform: 'node',
    // VS Code 1.110 runs extensions on Node 22.
    target: 'node22',
    format: 'cjs',
    external: ['vscode'],
    legalComments: 'none',
    logLevel: 'warning',
  });
}

if (import.meta.main) await bundleExtension();
