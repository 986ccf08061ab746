/**
 * Our own engine process (server-bridge/engine-llama): llama-server's endpoints and names, with exact numbers.
 *
 * Quirks: none that we know. A client that leaves stops the work within a chunk of prompt or a token
 * (test/engine-llama/http), and every count moves with the work.
 */
import type { Engine, EngineLoad } from './engine.ts';
import { llamacpp } from './llamacpp.ts';
import { Scrape } from './prometheus.ts';

export const embedded: Engine = {
  healthPath: '/health',
  metrics: { path: '/metrics', read },
  continuesChat: { continue_final_message: true, add_generation_prompt: false },
  tokenize: llamacpp.tokenize,
};

function read(body: string): EngineLoad | undefined {
  const scrape = new Scrape(body);
  const running = scrape.sum('llamacpp:requests_processing');
  const read = scrape.sum('llamacpp:prompt_tokens_total');
  const written = scrape.sum('llamacpp:tokens_predicted_total');
  if (running === undefined) return undefined;
  return {
    running,
    waiting: scrape.sum('llamacpp:requests_deferred'),
    kvUse: undefined,
    progress: read === undefined || written === undefined ? undefined : read + written,
    startedAt: scrape.greatest('process_start_time_seconds'),
  };
}
