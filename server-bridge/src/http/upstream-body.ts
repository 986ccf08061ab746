/** What a backend is sent: the client's request, less what is ours, in the backend's own terms. */
import type { CompletionRequest, InfillRequest } from '@hearth/protocol';
import type { Backend, Server } from '../backends/backend.ts';
import { renderFim, trimFim } from '../models/fim.ts';

/** Tokens kept for the answer where the request doesn't say. */
const ANSWER_TOKENS = 256;
/** The format's own tokens around the text, with room to spare. */
const FIM_TOKENS = 16;

/** With a `suffix`, a raw prompt in the format of the model that was chosen, trimmed to its context. */
export function completionBody(
  body: CompletionRequest,
  backend: Backend,
  server: Server,
): Record<string, unknown> {
  const { suffix, hearth, ...plain } = body;
  if (suffix == null) return plain;
  const { prompt, stop, ...rest } = plain;
  // Whatever is asked for, half of the context is the prompt's: an answer to nothing is worth nothing.
  const answer = Math.min(body.max_tokens ?? ANSWER_TOKENS, Math.floor(server.context / 2));
  const tokens = server.context - answer - FIM_TOKENS;
  const input = trimFim(
    { prefix: prompt, suffix, context: hearth },
    Math.floor(tokens * backend.standing.bytesPerToken),
    backend.config.fim,
  );
  const fim = renderFim(backend.config.fim, input);
  if (fim === undefined)
    throw new Error(`backend ${backend.config.id} has no FIM format but was chosen for one`);
  const asked = typeof stop === 'string' ? [stop] : (stop ?? []);
  return { ...rest, prompt: fim.prompt, stop: [...asked, ...fim.stop], max_tokens: answer };
}

/** llama.cpp's infill request in OpenAI's words; what only its own server knows is left out. */
export function infillAsCompletion(body: InfillRequest): CompletionRequest {
  const { model, stream, stop, temperature, top_k, top_p, seed, n_predict: limit } = body;
  const sampling = { stream, stop, temperature, top_k, top_p, seed };
  const given = Object.fromEntries(Object.entries(sampling).filter(([, value]) => value != null));
  return {
    ...given,
    ...(model !== undefined && { model }),
    ...(limit != null && limit >= 0 && { max_tokens: Math.max(limit, 1) }),
    prompt: body.input_prefix + body.prompt,
    suffix: body.input_suffix,
    hearth: { files: body.input_extra.map(({ filename, text }) => ({ path: filename, text })) },
  };
}

/** Backends are always asked what an answer took, also for clients that don't want to know. */
export function withUsage(body: Record<string, unknown>): Record<string, unknown> {
  return { ...body, stream_options: { include_usage: true } };
}
