/** Requests of the OpenAI-compatible API, as far as the bridge reads them. What it doesn't read passes through. */
import { z } from 'zod';

const common = {
  /** A model id, a backend id (pinned: no fallback), `auto`, or absent. */
  model: z.string().optional(),
  stream: z.boolean().nullish(),
  max_tokens: z.int().positive().nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  n: z.int().positive().nullish(),
};

export const contextFile = z.object({ path: z.string(), text: z.string() });
export type ContextFile = z.infer<typeof contextFile>;

/** Cross-file context for a completion. */
export const completionContext = z.looseObject({
  repo: z.string().optional(),
  path: z.string().optional(),
  language: z.string().optional(),
  /** Most stable first, so that the server's prefix cache hits. */
  files: z.array(contextFile).default([]),
});
export type CompletionContext = z.infer<typeof completionContext>;

export const completionRequest = z.looseObject({
  ...common,
  prompt: z.string(),
  /** Text after the cursor. Present, it makes the request fill-in-the-middle, whatever the engine. */
  suffix: z.string().nullish(),
  hearth: completionContext.optional(),
});
export type CompletionRequest = z.infer<typeof completionRequest>;

export const chatMessage = z.looseObject({ role: z.string(), content: z.unknown().optional() });

export const chatRequest = z.looseObject({
  ...common,
  messages: z.array(chatMessage).min(1),
  max_completion_tokens: z.int().positive().nullish(),
});
export type ChatRequest = z.infer<typeof chatRequest>;

export const embeddingsRequest = z.looseObject({
  model: z.string().optional(),
  /** One text or several; a text may be given as its tokens. */
  input: z.union([
    z.string(),
    z.array(z.string()).min(1),
    z.array(z.int()).min(1),
    z.array(z.array(z.int()).min(1)).min(1),
  ]),
});
export type EmbeddingsRequest = z.infer<typeof embeddingsRequest>;

/** As Jina has it, and vLLM and llama.cpp's server after it. */
export const rerankRequest = z.looseObject({
  model: z.string().optional(),
  query: z.string(),
  documents: z.array(z.union([z.string(), z.looseObject({ text: z.string() })])).min(1),
  top_n: z.int().positive().nullish(),
});
export type RerankRequest = z.infer<typeof rerankRequest>;
