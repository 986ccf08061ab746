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
  const tokens = withBeginning(model, model.tokenize(text, true));
  if (tokens.length > limit) throw tooLong(String(tokens.length), limit);
  if (tokens.length === 0)
    throw new HearthError('invalid_request', 'The prompt is empty.', { param: 'prompt' });
  return tokens;
}

/**
 * The caller's own token ids as they are, if the model has them: llama.cpp aborts the process on others.
 *
 * @throws HearthError invalid_request, context_too_long
 */
export function knownTokens(model: LlamaModel, ids: readonly number[], limit: number): Token[] {
  if (ids.length > limit) throw tooLong(String(ids.length), limit);
  const size = model.fileInfo.metadata.tokenizer.ggml.tokens.length;
  const stranger = ids.find((id) => id < 0 || id >= size);
  if (stranger !== undefined)
    throw new HearthError('invalid_request', `This model has no token ${stranger}.`, { param: 'input' });
  return ids as Token[];
}

/** A text's tokens, however long it is. Cut pieces may make a few more than the whole would be. */
export async function tokensOf(
  model: LlamaModel,
  text: string,
  { whole, signal }: { whole: boolean; signal: AbortSignal },
): Promise<Token[]> {
  const pieces: Token[][] = [];
  for (let at = 0; at < text.length;) {
    const end = cutAfter(text, at + PIECE);
    pieces.push(model.tokenize(text.slice(at, end), true));
    at = end;
    if (at < text.length) await nextTurn();
    signal.throwIfAborted();
  }
  const tokens = pieces.flat();
  return whole ? withBeginning(model, tokens) : tokens;
}

/** Where a line ends, as hardly any token goes on beyond that; in one long line, at least between two characters. */
function cutAfter(text: string, position: number): number {
  if (position >= text.length) return text.length;
  const line = text.indexOf('\n', position);
  if (line >= 0 && line < position + PIECE) return line + 1;
  return (text.codePointAt(position - 1) ?? 0) > 0xff_ff ? position + 1 : position;
}

/** What llama.cpp itself would put before a prompt. */
function withBeginning({ tokens: special }: LlamaModel, tokens: Token[]): Token[] {
  const { bos } = special;
  if (special.shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos);
  return tokens;
}

function tooLong(count: string, limit: number): HearthError {
  const message = `The prompt has ${count} tokens; at most ${limit} fit into this model's context beside an answer.`;
  return new HearthError('context_too_long', message);
}
