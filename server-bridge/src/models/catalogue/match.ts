/** From the name a backend knows its model by, or a file's path, to the catalogue. Pure. */
import type { BackendConfig } from '@hearth/protocol';
import { LARGE_CODERS } from './coders.ts';
import type { CatalogueEntry } from './entry.ts';
import { quantisation, statedQuantisation, type Quantisation } from './quantisations.ts';
import { RETRIEVAL_MODELS } from './retrieval.ts';
import { SMALL_CODERS } from './small-coders.ts';

export const CATALOGUE: readonly CatalogueEntry[] = [...LARGE_CODERS, ...SMALL_CODERS, ...RETRIEVAL_MODELS];

export interface ModelMatch {
  entry: CatalogueEntry;
  quantisation: Quantisation;
  /** False: the name says nothing of it, and the usual one of the engine is taken. */
  stated: boolean;
}

type Engine = BackendConfig['engine'];

/** What a name without a quantisation means. */
const USUAL: Record<Engine, string> = {
  vllm: 'BF16',
  trtllm: 'BF16',
  // llama-server's -hf takes it where the name has none; tools/server/README.md.
  llamacpp: 'Q4_K_M',
  embedded: 'Q4_K_M',
  openai: 'BF16',
};

/** Undefined for a model the catalogue doesn't have. */
export function matchModel(name: string, engine: Engine): ModelMatch | undefined {
  // The file says more than the folders above it; a cache's file may be named by a sum alone.
  const file = name.split(/[/\\]/).findLast((part) => part !== '') ?? name;
  const entry = find(file) ?? find(name);
  if (entry === undefined) return undefined;
  const stated = statedQuantisation(file) ?? statedQuantisation(name);
  if (entry.onlyQuantisation !== undefined)
    return { entry, quantisation: quantisation(entry.onlyQuantisation), stated: true };
  return { entry, quantisation: stated ?? quantisation(USUAL[engine]), stated: stated !== undefined };
}

function find(name: string): CatalogueEntry | undefined {
  const words = name.toLowerCase().replaceAll(/[^a-z0-9.]+/g, '-');
  return CATALOGUE.find((entry) => entry.pattern.test(words));
}

export function entryById(id: string): CatalogueEntry | undefined {
  return CATALOGUE.find((entry) => entry.id === id);
}
