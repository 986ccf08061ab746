/**
 * llama.cpp's llama-server.
 *
 * Sources are files of ggml-org/llama.cpp, most of all tools/server/README.md. Quirks:
 * - Cancel: the connection is looked at once a second (`HTTP_POLLING_SECONDS` in tools/server/server-context.cpp), and
 *   a prompt is read on to the end of its batch. Builds of early 2025 went on to the end of the answer (llama.cpp#11720,
 *   #13262), with a long prompt some still read all of it (#15232, open), and in its router mode the child that
 *   generates may not hear of a client that left (#24496, closed without the fix of #24630). So a backend may be busy
 *   for a while with what nobody waits for.
 * - `/health` is 503 while the model loads.
 * - `/metrics` is answered between two batches: a slow answer is a long batch, or a decode that hangs.
 * - A server put to sleep by `--sleep-idle-seconds` answers `/metrics` from memory and wakes for anything else.
 */
import { z } from 'zod';
import type { Engine, EngineLoad, ResponseHeaders } from './engine.ts';
import { Scrape } from './prometheus.ts';

const tokens = z.object({ tokens: z.array(z.unknown()) });

export const llamacpp: Engine = {
  healthPath: '/health',
  // 501 without `--metrics`, with a JSON error as its body.
  metrics: { path: '/metrics', read },
  // Since May 2026 (llama.cpp#23012, #23089); before, a final assistant message is continued in any case (#13174) and
  // neither field does harm. Models that think refuse by 400 in builds before #23089 ("prefill is incompatible with
  // enable_thinking"). For a few days of May 2026 the reply repeated the message; `echo` false is to have only its rest.
  continuesChat: { continue_final_message: true, add_generation_prompt: false, echo: false },
  tokenize: {
    path: '/tokenize',
    // `add_special`: with the BOS, as a prompt is counted. `model` is for its router mode.
    body: (text, model) => ({ model, content: text, add_special: true, parse_special: true }),
    count: (reply) => tokens.safeParse(reply).data?.tokens.length,
  },
};

function read(body: string, headers: ResponseHeaders = {}): EngineLoad | undefined {
  const scrape = new Scrape(body);
  const running = scrape.sum('llamacpp:requests_processing');
  if (running === undefined) return undefined;
  return {
    running,
    waiting: scrape.sum('llamacpp:requests_deferred'),
    // Gone since the summer of 2025.
    kvUse: scrape.greatest('llamacpp:kv_cache_usage_ratio'),
    progress: progressOf(scrape),
    startedAt: startOf(headers),
  };
}

/**
 * Numbers come with six digits (an ostream's default): from here on a hundred decodes and more look like none, and a
 * slow model would seem to hang.
 */
const LAST_FINE_COUNT = 1e7;

/** `tokens_predicted_total` moves only when a request has ended; `n_decode_total` with every batch, prompts' too. */
function progressOf(scrape: Scrape): number | undefined {
  const decodes = scrape.sum('llamacpp:n_decode_total');
  if (decodes === undefined || decodes >= LAST_FINE_COUNT) return undefined;
  return (
    decodes +
    (scrape.sum('llamacpp:prompt_tokens_total') ?? 0) +
    (scrape.sum('llamacpp:tokens_predicted_total') ?? 0)
  );
}

/** A header of `/metrics`; microseconds of the machine's clock, not Unix time as its name says. */
function startOf(headers: ResponseHeaders): number | undefined {
  const text = [headers['process-start-time-unix']].flat()[0];
  const value = text === undefined || text === '' ? NaN : Number(text);
  return Number.isFinite(value) ? value : undefined;
}
