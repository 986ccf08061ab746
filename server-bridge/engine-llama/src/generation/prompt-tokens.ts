/** Counts and cuts prompts into tokens without ever blocking the process on a huge one. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { HearthError } from '@hearth/protocol';
import type { LlamaModel, Token } from 'node-llama-cpp';

const PIECE = 32_768;

/**
 * The prompt's tokens, at most `limit` of them.
 *
 * A text is first counted by pieces, giving way to other work in between, and given up as soon as the count is past
 * twice the limit (the seams of the pieces add a few tokens, never as many).
 *
 * @throws HearthError context_too_long, or the signal's reason
 */
export async function promptTokens(
  model: LlamaModel,
  text: string,
  limit: number,
  signal: AbortSignal,
): Promise<Token[]> {
  let counted = 0;
  for (let at = 0; at < text.length && text.length > PIECE; at += PIECE) {
    counted += model.tokenize(text.slice(at, at + PIECE), true).length;
    if (counted > 2 * limit) throw tooLong(`more than ${counted}`, limit);
    await nextTurn();
    signal.throwIfAborted();
  }
  const tokens = model.tokenize(text, true);
  if (model.tokens.shouldPrependBosToken && model.tokens.bos !== null && tokens[0] !== model.tokens.bos) {
    tokens.unshift(model.tokens.bos);
  }
  if (tokens.length > limit) throw tooLong(String(tokens.length), limit);
  if (tokens.length === 0)
    throw new HearthError('invalid_request', 'The prompt is empty.', { param: 'prompt' });
  return tokens;
}

function tooLong(count: string, limit: number): HearthError {
  const message = `The prompt has ${count} tokens; at most ${limit} fit into this model's context beside an answer.`;
  return new HearthError('context_too_long', message);
}
