/**
 * Any server with OpenAI's API (SGLang, Ollama, LM Studio, infinity, a cloud): only what that API itself promises.
 *
 * Quirk: whether a client that leaves stops the work is each server's own affair, and nothing says so.
 */
import type { Engine } from './engine.ts';

export const openai: Engine = {
  // The one GET that all of them have.
  healthPath: '/v1/models',
  metrics: undefined,
  // Some go on with a final assistant message, some answer it, and from outside they look the same.
  continuesChat: undefined,
  tokenize: undefined,
};
