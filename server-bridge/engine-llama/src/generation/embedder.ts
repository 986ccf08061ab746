/** Embeddings from a context of their own, made when the first one is asked for; one text at a time. */
import type { LlamaEmbeddingContext, LlamaModel, Token } from 'node-llama-cpp';

export class Embedder {
  readonly #model: LlamaModel;
  readonly #contextSize: number;
  readonly #threads: number;
  #context: Promise<LlamaEmbeddingContext> | undefined;

  constructor(model: LlamaModel, options: { contextSize: number; threads: number }) {
    this.#model = model;
    this.#contextSize = options.contextSize;
    this.#threads = options.threads;
  }

  /** The pooled vector, of length 1 (llama.cpp doesn't normalise). */
  async embed(tokens: readonly Token[], { signal }: { signal: AbortSignal }): Promise<number[]> {
    const context = await (this.#context ??= this.#model.createEmbeddingContext({
      contextSize: this.#contextSize,
      // All of a text has to be in one batch for it to be pooled as one.
      batchSize: this.#contextSize,
      threads: this.#threads,
    }));
    signal.throwIfAborted();
    const { vector } = await context.getEmbeddingFor([...tokens]);
    const length = Math.hypot(...vector);
    return vector.map((value) => (length === 0 ? 0 : value / length));
  }

  async close(): Promise<void> {
    await (await this.#context)?.dispose();
  }
}
