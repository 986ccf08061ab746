/** The texts the starter learns: every file of the corpus folder, and the one chat reply. */
import { readdirSync, readFileSync } from 'node:fs';
import { byteStandingFor } from './byte-code.ts';
import type { Snippet } from './memory.ts';

const FOLDER = new URL('corpus/', import.meta.url);
const CHAT = 'chat.txt';

/** In file-name order. A snippet's last line break isn't learnt: its answer ends where its text ends. */
export function readCorpus(): Snippet[] {
  return corpusFiles().map((name) => {
    const text = Buffer.from(readFileSync(new URL(name, FOLDER), 'utf8').trimEnd());
    if (name !== CHAT) return { name, bytes: text, start: 0 };
    const turn = Buffer.from([byteStandingFor('<|im_start|>'), ...Buffer.from('assistant\n')]);
    return { name, bytes: Buffer.concat([turn, text]), start: turn.length };
  });
}

/** Names inside the corpus folder, sorted. */
export function corpusFiles(): string[] {
  return readdirSync(FOLDER).toSorted();
}
