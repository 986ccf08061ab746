/** The starter's file: built once for each version of its sources, kept among the models. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildStarter } from './build.ts';
import { corpusFiles, readCorpus } from './corpus.ts';

/**
 * The path of the starter's GGUF in `folder`, built first if it isn't there (about a third of a second, 17 MB).
 * Several processes may do so at once: each writes a file of its own and renames it.
 */
export async function ensureStarter(folder: string): Promise<string> {
  const path = join(folder, `hearth-starter-${sourcesHash()}.gguf`);
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  const draft = `${path}.${process.pid}.part`;
  await writeFile(draft, buildStarter(readCorpus()));
  await rename(draft, path);
  return path;
}

function sourcesHash(): string {
  const here = new URL('.', import.meta.url);
  const sources = readdirSync(here).filter((name) => name.endsWith('.ts'));
  const hash = createHash('sha256');
  for (const name of [...sources.toSorted(), ...corpusFiles().map((file) => `corpus/${file}`)]) {
    hash
      .update(name)
      .update('\0')
      .update(readFileSync(new URL(name, here)));
  }
  return hash.digest('hex').slice(0, 12);
}
