/** What would fit instead: each quantisation at each usual context, and the nearest settings that do. Pure. */
import { QUANTISATIONS, type Quantisation } from '../catalogue/quantisations.ts';
import { need, isPaged, type Setting } from './need.ts';
import { offloadOf } from './memory-needed.ts';

/** Tokens. */
const CONTEXTS = [8_192, 32_768, 65_536, 131_072, 262_144];

interface Cell {
  context: number;
  bytes: number;
  fits: boolean;
  /** Layers whose experts stay in RAM; 0 where all is on the card. */
  cpuMoe: number;
}

export interface Row {
  quantisation: string;
  cells: Cell[];
}

/** The quantisations shown: those an engine commonly runs. */
const SHOWN: ReadonlySet<string> = new Set([
  'BF16',
  'FP8',
  'AWQ',
  'F16',
  'Q8_0',
  'Q6_K',
  'Q5_K_M',
  'Q4_K_M',
  'Q3_K_M',
  'Q2_K',
]);

/** At the configured concurrency. */
export function alternatives(setting: Setting, usable: number): Row[] {
  const { entry } = setting.match;
  const contexts = [...new Set([...CONTEXTS, setting.context])]
    .filter((context) => context <= entry.architecture.maxContext)
    .toSorted((a, b) => a - b);
  return quantisationsFor(setting).map((quantisation) => ({
    quantisation: quantisation.name,
    cells: contexts.map((context) =>
      cell({ ...setting, context, match: { ...setting.match, quantisation } }, usable),
    ),
  }));
}

function cell(setting: Setting, usable: number): Cell {
  const offload = offloadOf(setting, usable);
  if (offload.kind === 'layers')
    return { context: setting.context, bytes: offload.onCard, fits: true, cpuMoe: offload.layers };
  const { bytes } = need(setting);
  return { context: setting.context, bytes, fits: offload.kind === 'none', cpuMoe: 0 };
}

function quantisationsFor({ match, engine }: Setting): Quantisation[] {
  if (match.entry.onlyQuantisation !== undefined) return [match.quantisation];
  const file = isPaged(engine) ? 'checkpoint' : 'gguf';
  return QUANTISATIONS.filter(
    (one) => one.name === match.quantisation.name || (one.file === file && SHOWN.has(one.name)),
  );
}

/** Settings nearest to what was asked for that fit; undefined where that setting alone can't help. */
export interface Nearest {
  context?: number;
  concurrency?: number;
  quantisation?: string;
}

export function nearest(setting: Setting, usable: number): Nearest {
  const fits = (other: Setting) => offloadOf(other, usable).kind !== 'impossible';
  const context = largest(Math.floor(setting.context / 1_024), (thousands) =>
    fits({ ...setting, context: thousands * 1_024 }),
  );
  const concurrency = largest(setting.concurrency - 1, (number) => fits({ ...setting, concurrency: number }));
  const finer = quantisationsFor(setting).find(
    (quantisation) =>
      quantisation.bits < setting.match.quantisation.bits &&
      fits({ ...setting, match: { ...setting.match, quantisation } }),
  );
  return {
    ...(context > 0 && { context: context * 1_024 }),
    ...(concurrency > 0 && { concurrency }),
    ...(finer !== undefined && { quantisation: finer.name }),
  };
}

/** The largest whole number up to `top` that passes a test which all smaller ones pass too; 0 where none does. */
function largest(top: number, passes: (value: number) => boolean): number {
  let low = 0;
  let high = top;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (passes(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}
