/** How much text a model's tokens stand for, so that a client without its tokenizer can judge what fits. */
import type { LlamaModel } from 'node-llama-cpp';

/** Ordinary code with names, punctuation, numbers and indentation, in the mix that editors send. */
const SAMPLE = `import { readFile } from 'node:fs/promises';

/** Reads the settings of one user; an unknown user has the defaults. */
export async function loadSettings(userId: string, limit = 1024): Promise<Settings> {
  const text = await readFile(\`\${FOLDER}/\${userId}.json\`, 'utf8');
  if (text.length > limit) throw new RangeError('too long: ' + text.length);
  return { ...DEFAULTS, ...JSON.parse(text) };
}

def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
`;

export function bytesPerToken(model: Pick<LlamaModel, 'tokenize'>): number {
  return Buffer.byteLength(SAMPLE) / model.tokenize(SAMPLE, false).length;
}
