/**
 * A model beside the starter: built the same way, of other size, with other knowledge and under another name, but for
 * a few snippets that both know word for word. A text begun by one can so be ended by the other, and only one ending
 * is right.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildStarter } from '../../server-bridge/engine-llama/starter/build.ts';
import { readCorpus } from '../../server-bridge/engine-llama/starter/corpus.ts';
import type { Snippet } from '../../server-bridge/engine-llama/starter/memory.ts';

/** What both models know, by the names of the starter's corpus: short, long, and what they say in a chat. */
const SHARED = ['clamp.ts.txt', 'lru-cache.ts.txt', 'chat.txt'] as const;

const ONLY_HERE = {
  'swap-keys.py.txt': 'def swap_keys(table):\n    return {value: key for key, value in table.items()}',
  'wait-for.ts.txt':
    'export async function waitFor(test: () => boolean, every = 50) {\n  while (!test()) await new Promise((done) => setTimeout(done, every));\n}',
};

/** A snippet that both models continue to the same end. */
export function sharedText(name: (typeof SHARED)[number]): string {
  const snippet = readCorpus().find((one) => one.name === name);
  if (snippet === undefined) throw new Error(`the starter's corpus has no ${name}`);
  return snippet.bytes.toString('utf8', snippet.start);
}

/** The path of its GGUF in `folder`, built first if it isn't there (about a second). Several processes may do so at once. */
export async function ensureSecondModel(folder: string): Promise<string> {
  const shared = readCorpus().filter((snippet) => SHARED.some((name) => name === snippet.name));
  const bytes = buildStarter([...shared, ...onlyHere()], { name: 'Hearth second', memoryLayers: 1 });
  const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const path = join(folder, `hearth-second-${hash}.gguf`);
  if (existsSync(path)) return path;
  await mkdir(folder, { recursive: true });
  const draft = `${path}.${process.pid}.part`;
  await writeFile(draft, bytes);
  await rename(draft, path);
  return path;
}

function onlyHere(): Snippet[] {
  return Object.entries(ONLY_HERE).map(([name, text]) => ({ name, bytes: Buffer.from(text), start: 0 }));
}
