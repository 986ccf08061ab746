/**
 * vLLM's OpenAI server (V1 engine; the older names of V0 are still read).
 *
 * Sources are files of vllm-project/vllm unless said otherwise. Quirks:
 * - Cancel: closing the connection aborts the request, streaming or not, inside `AsyncLLM.generate` (vllm#32442). One
 *   report against v0.22 that it went on with `--api-key` is open (vllm#54947).
 * - `/health` answers 200 from the API process while the engine core stands still (vllm#39863).
 * - `--api-key` guards `/v1` alone: `/metrics` and `/tokenize` answer anybody who reaches the port.
 * - `--disable-log-stats` leaves only Python's own metrics: then nothing but the restart is known.
 * - A woken sleeper may answer with "!!!!" or nonsense under the same process id (vllm#29341, vllm#48310): `startedAt`
 *   doesn't show it, only the canary does.
 */
import { z } from 'zod';
import type { Engine, EngineLoad } from './engine.ts';
import { Scrape } from './prometheus.ts';

const counted = z.object({ count: z.int().nonnegative() });

export const vllm: Engine = {
  healthPath: '/health',
  metrics: { path: '/metrics', read },
  // vllm/entrypoints/openai/chat_completion/protocol.py: both can't be set at once, and generation prompts are the
  // default. gpt-oss is rendered by openai_harmony (`_make_request_with_harmony`), which heeds neither.
  continuesChat: { continue_final_message: true, add_generation_prompt: false },
  tokenize: {
    // vllm/entrypoints/serve/tokenize/protocol.py (TokenizeCompletionRequest, TokenizeResponse).
    path: '/tokenize',
    body: (text, model) => ({ model, prompt: text }),
    count: (reply) => counted.safeParse(reply).data?.count,
  },
};

/** vllm/v1/metrics/loggers.py; `process_start_time_seconds` is prometheus_client's own (absent with several API servers). */
function read(body: string): EngineLoad | undefined {
  const scrape = new Scrape(body);
  const kvName = KV_USE.find((name) => scrape.sum(name) !== undefined);
  const load = {
    running: scrape.sum('vllm:num_requests_running'),
    waiting: scrape.sum('vllm:num_requests_waiting'),
    kvUse: kvName === undefined ? undefined : Math.min(1, Math.max(0, scrape.greatest(kvName) ?? 0)),
    progress: progressOf(scrape, kvName),
    startedAt: scrape.greatest('process_start_time_seconds'),
  };
  return Object.values(load).some((value) => value !== undefined) ? load : undefined;
}

/** 1 means all of it, whatever "perc" says. `gpu_cache_usage_perc` was V0's name and V1's until 2025. */
const KV_USE = ['vllm:kv_cache_usage_perc', 'vllm:gpu_cache_usage_perc'] as const;

/** `iteration_tokens_total` is a histogram in spite of its name: its count is steps, its sum tokens. */
const COUNTERS = [
  'vllm:iteration_tokens_total_count',
  'vllm:iteration_tokens_total_sum',
  'vllm:prompt_tokens_total',
  'vllm:generation_tokens_total',
] as const;

/**
 * A prompt's tokens are counted only when all of it has been read, and a step without output isn't counted at all: in a
 * prefill of 36 s every counter stood still, and the KV cache alone filled up. So its use belongs to the progress; as
 * long as counters are whole numbers, a fraction below one tells it apart.
 */
function progressOf(scrape: Scrape, kvName: string | undefined): number | undefined {
  const counters = COUNTERS.map((name) => scrape.sum(name)).filter((value) => value !== undefined);
  if (counters.length === 0 || kvName === undefined) return undefined;
  return counters.reduce((total, value) => total + value, 0) + (scrape.sum(kvName) ?? 0);
}
