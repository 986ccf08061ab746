/**
 * TensorRT-LLM's trtllm-serve.
 *
 * Sources are files of NVIDIA/TensorRT-LLM, most of all tensorrt_llm/serve/openai_server.py. Quirks:
 * - Cancel: the connection is looked at once a second and the request aborted then (`await_disconnected`), streaming or
 *   not.
 * - A field that it doesn't know is a 400, in every request (openai_protocol.py: `extra="forbid"`), `suffix` too.
 * - `/metrics` is a JSON list of what the last iterations did, and reading empties it: a second reader, such as a
 *   Prometheus exporter, takes half of it away. With the PyTorch backend it stays empty unless `enable_iter_perf_stats`
 *   is set.
 * - `/health_generate` generates: never ask it of a busy server.
 */
import { z } from 'zod';
import type { Engine, EngineLoad } from './engine.ts';

const counted = z.object({ count: z.int().nonnegative() });

export const trtllm: Engine = {
  healthPath: '/health',
  metrics: { path: '/metrics', read },
  // `add_generation_prompt: false` alone closes the message first, and there is no `continue_final_message`.
  continuesChat: undefined,
  tokenize: {
    // Since 2026; 404 before.
    path: '/_internal/tokenize',
    body: (text, model) => ({ model, prompt: text }),
    count: (reply) => counted.safeParse(reply).data?.count,
  },
};

const figure = z.number().nonnegative().optional().catch(undefined);

/** cpp/tensorrt_llm/executor/jsonSerialization.cpp has the names (IterationStats, KvCacheStats). */
const iterations = z.array(
  z.object({
    iter: figure,
    numActiveRequests: figure,
    numQueuedRequests: figure,
    kvCacheStats: z.object({ usedNumBlocks: figure, maxNumBlocks: figure }).nullish().catch(undefined),
  }),
);

/** The last iteration's. An empty list says nothing: without requests there are no iterations. */
function read(body: string): EngineLoad | undefined {
  const last = iterations.safeParse(parsed(body)).data?.at(-1);
  if (last?.iter === undefined) return undefined;
  const { usedNumBlocks: used, maxNumBlocks: most } = last.kvCacheStats ?? {};
  return {
    running: last.numActiveRequests,
    waiting: last.numQueuedRequests,
    kvUse: used === undefined || most === undefined || most === 0 ? undefined : Math.min(1, used / most),
    progress: last.iter,
    startedAt: undefined,
  };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // An error page, or a body that was cut at its cap.
    return undefined;
  }
}
