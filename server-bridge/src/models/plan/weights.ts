/** What a model's weights weigh: the published size where there is one, parameters times bits otherwise. Pure. */
import type { CatalogueEntry } from '../catalogue/entry.ts';
import type { Quantisation } from '../catalogue/quantisations.ts';
import { billions, gb, trimmed } from './format.ts';
import type { Term } from './term.ts';

export interface Weights extends Term {
  /** From a size somebody published or measured, not from parameters times bits. */
  published: boolean;
}

/** What is read from storage. */
export function fileWeights(entry: CatalogueEntry, quantisation: Quantisation): Weights {
  const known = entry.published[quantisation.name];
  if (known !== undefined)
    return {
      name: 'weights',
      arithmetic: `${billions(entry.parameters)} parameters in ${quantisation.name} = ${gb(known.bytes)}, a published size`,
      bytes: known.bytes,
      source: known.source,
      published: true,
    };
  const kept = quantisation.file === 'checkpoint' && quantisation.bits < 16 ? entry.keptIn16Bit : 0;
  const bytes = ((entry.parameters - kept) * quantisation.bits) / 8 + kept * 2;
  const main = `${billions(entry.parameters - kept)} parameters x ${trimmed(quantisation.bits / 8)} byte${quantisation.bits === 8 ? '' : 's'} (${quantisation.name})`;
  const rest = kept > 0 ? ` + ${billions(kept)} x 2 bytes (embeddings, head, routers in BF16)` : '';
  return {
    name: 'weights',
    arithmetic: `${main}${rest} = ${gb(bytes)}`,
    bytes,
    source: `${entry.source}; ${quantisation.source}`,
    published: false,
  };
}

/** What they take on the card, which for some models in vLLM is more than the file. */
export function loadedWeights(entry: CatalogueEntry, quantisation: Quantisation, inVllm: boolean): Weights {
  const file = fileWeights(entry, quantisation);
  const measured = inVllm ? entry.measuredInVllm?.weights : undefined;
  if (measured === undefined) return file;
  return {
    name: 'weights',
    arithmetic: `${gb(file.bytes)} of files, measured ${gb(measured.bytes)} once vLLM has loaded them`,
    bytes: measured.bytes,
    source: measured.source,
    published: true,
  };
}
