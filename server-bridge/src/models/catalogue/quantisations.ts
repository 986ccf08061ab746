/** Bits a parameter takes in each weight format, and which program reads the format. Pure. */

export interface Quantisation {
  name: string;
  /** Bits for each parameter, scales included. */
  bits: number;
  /** `checkpoint` is safetensors; its embeddings, head and routers stay in BF16. */
  file: 'gguf' | 'checkpoint';
  source: string;
}

/** Averages over a whole model, its mixture of types included: measured on Llama 3.1 8B. */
const QUANTIZE_README = 'llama.cpp tools/quantize/README.md, bits/weight';

const gguf = (name: string, bits: number): Quantisation => ({
  name,
  bits,
  file: 'gguf',
  source: QUANTIZE_README,
});

export const QUANTISATIONS: readonly Quantisation[] = [
  gguf('F16', 16.0005),
  gguf('Q8_0', 8.5008),
  gguf('Q6_K', 6.5633),
  gguf('Q5_K_M', 5.7036),
  gguf('Q5_K_S', 5.5704),
  gguf('Q4_K_M', 4.8944),
  gguf('IQ4_NL', 4.6818),
  gguf('Q4_K_S', 4.6672),
  gguf('IQ4_XS', 4.4597),
  gguf('Q3_K_L', 4.2979),
  // Not in that table: between its neighbours, by the 1.59 GB of Qwen2.5-Coder-3B (unsloth's GGUF repository).
  gguf('Q3_K_M', 4.12),
  gguf('IQ3_M', 3.7628),
  gguf('Q3_K_S', 3.6429),
  gguf('IQ3_XXS', 3.2548),
  gguf('Q2_K', 3.1593),
  gguf('IQ2_M', 2.9294),
  { name: 'BF16', bits: 16, file: 'checkpoint', source: 'two bytes a parameter' },
  // One 4-byte scale for each block of 128 x 128 adds 0.02 %: left out. Block size: Qwen's FP8 model cards.
  { name: 'FP8', bits: 8, file: 'checkpoint', source: 'one byte a parameter; Qwen FP8 model cards' },
  { name: 'NVFP4', bits: 4.5, file: 'checkpoint', source: '4 bits, and an 8-bit scale for each 16' },
  {
    name: 'AWQ',
    bits: 4.25,
    file: 'checkpoint',
    source: '4 bits, and 32 bits of scale and zero for each 128',
  },
  { name: 'MXFP4', bits: 4.25, file: 'checkpoint', source: '4 bits, and an 8-bit scale for each 32' },
];

export function quantisation(name: string): Quantisation {
  const found = QUANTISATIONS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no quantisation ${name} in the table`);
  return found;
}

/** Spellings of file and repository names that mean one of the table's formats, in the order they are tried. */
const SPELLINGS: readonly (readonly [RegExp, (match: RegExpExecArray) => string])[] = [
  [/(?:^|[^a-z0-9])q3_k_l(?![a-z0-9])/, () => 'Q3_K_L'],
  // Larger mixtures (Q4_K_L, UD-Q4_K_XL) keep some tensors finer; their nearest in the table is the medium one.
  [/(?:^|[^a-z0-9])q([2-6])_k_(?:l|xl|m)(?![a-z0-9])/, ([, bits]) => nearest(`Q${bits}_K`, 'M')],
  [/(?:^|[^a-z0-9])q([2-6])_k_s(?![a-z0-9])/, ([, bits]) => nearest(`Q${bits}_K`, 'S')],
  [/(?:^|[^a-z0-9])q([26])_k(?![a-z0-9])/, ([, bits]) => `Q${bits}_K`],
  [/(?:^|[^a-z0-9])q8_(?:0|k_xl)(?![a-z0-9])/, () => 'Q8_0'],
  [/(?:^|[^a-z0-9])iq4_(nl|xs)(?![a-z0-9])/, ([, size]) => `IQ4_${(size ?? '').toUpperCase()}`],
  [/(?:^|[^a-z0-9])iq3_(?:xxs|xs)(?![a-z0-9])/, () => 'IQ3_XXS'],
  [/(?:^|[^a-z0-9])iq3_[sm](?![a-z0-9])/, () => 'IQ3_M'],
  [/(?:^|[^a-z0-9])iq2_[a-z]+(?![a-z0-9])/, () => 'IQ2_M'],
  [/mxfp4/, () => 'MXFP4'],
  [/nvfp4/, () => 'NVFP4'],
  [/fp8/, () => 'FP8'],
  [/awq|gptq|int4|w4a16/, () => 'AWQ'],
  [/bf16/, () => 'BF16'],
  [/f(?:p)?16/, () => 'F16'],
];

function nearest(family: string, size: 'M' | 'S'): string {
  const name = `${family}_${size}`;
  return QUANTISATIONS.some((one) => one.name === name) ? name : family;
}

/** The format a file or repository name states; undefined where it states none. */
export function statedQuantisation(name: string): Quantisation | undefined {
  const lower = name.toLowerCase();
  for (const [pattern, spell] of SPELLINGS) {
    const match = pattern.exec(lower);
    if (match !== null) return quantisation(spell(match));
  }
  return undefined;
}
