/** Feeds a prompt to a sequence in chunks, so that an abort takes hold between two of them. */
import type { LlamaContextSequence, Token } from 'node-llama-cpp';

const FIRST_CHUNK = 64;
const LARGEST_CHUNK = 512;
/** A chunk is doubled below half of this and halved above twice of it: how long an abort may have to wait. */
const AIM_MS = 40;

/**
 * Afterwards the sequence holds all of the prompt but its last token, which is for the sampler. What the sequence
 * already held of its beginning is kept.
 *
 * @returns how many tokens were kept
 */
export async function prefill(
  sequence: LlamaContextSequence,
  prompt: readonly Token[],
  options: { signal: AbortSignal; onTokens: (count: number) => void },
): Promise<number> {
  const body = prompt.slice(0, -1);
  // No shifting: moved cells aren't what a fresh evaluation gives.
  await sequence.adaptStateToTokens(body, false);
  const kept = sequence.nextTokenIndex;
  let size = FIRST_CHUNK;
  for (let at = kept; at < body.length;) {
    options.signal.throwIfAborted();
    const chunk = body.slice(at, at + size);
    const started = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(chunk);
    options.onTokens(chunk.length);
    at += chunk.length;
    size = nextSize(size, performance.now() - started);
  }
  options.signal.throwIfAborted();
  return kept;
}

function nextSize(size: number, tookMs: number): number {
  if (tookMs < AIM_MS / 2) return Math.min(LARGEST_CHUNK, size * 2);
  return tookMs > AIM_MS * 2 ? Math.max(8, size / 2) : size;
}
