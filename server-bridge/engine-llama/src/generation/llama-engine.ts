/** The engine that runs a GGUF by llama.cpp (node-llama-cpp), several sequences at once. */
import { HearthError } from '@hearth/protocol';
import type { LlamaContext, LlamaContextSequence, LlamaModel, Token } from 'node-llama-cpp';
import { bytesPerToken } from './bytes-per-token.ts';
import type { ChatRenderer } from './chat-prompt.ts';
import type { ChatTurn, Embedding, Engine, GenerationEvent, GenerationRequest, Load } from './engine.ts';
import type { Embedder } from './embedder.ts';
import { prefill } from './prefill.ts';
import { knownTokens, promptTokens, tokensOf } from './prompt-tokens.ts';
import { SequencePool } from './sequence-pool.ts';
import { StopText } from './stop-text.ts';
import { TokenText } from './token-text.ts';

export interface LlamaParts {
  readonly model: LlamaModel;
  readonly context: LlamaContext;
  readonly sequences: readonly LlamaContextSequence[];
  readonly embedder: Embedder;
  readonly renderChat: ChatRenderer;
}

export class LlamaEngine implements Engine {
  readonly context: number;
  readonly bytesPerToken: number;
  readonly #parts: LlamaParts;
  readonly #pool: SequencePool<LlamaContextSequence>;
  readonly #closing = new AbortController();
  #promptTokens = 0;
  #predictedTokens = 0;

  constructor(parts: LlamaParts) {
    this.#parts = parts;
    this.#pool = new SequencePool(parts.sequences);
    this.context = parts.context.contextSize;
    this.bytesPerToken = bytesPerToken(parts.model);
  }

  chatPrompt(turns: readonly ChatTurn[], options: { goesOn: boolean }): string {
    return this.#parts.renderChat(turns, options);
  }

  async tokenize(text: string, options: { whole: boolean; signal: AbortSignal }): Promise<number[]> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    return await tokensOf(this.#parts.model, text, { ...options, signal });
  }

  async *generate(
    request: GenerationRequest,
    options: { signal: AbortSignal },
  ): AsyncGenerator<GenerationEvent> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    const prompt = await promptTokens(this.#parts.model, request.prompt, this.context - 1, signal);
    const sequence = await this.#pool.acquire(
      (candidate) => candidate.compareContextTokens(prompt).firstDifferentIndex,
      { signal },
    );
    try {
      yield* this.#answer(sequence, prompt, request, signal);
    } finally {
      this.#pool.release(sequence);
    }
  }

  async *#answer(
    sequence: LlamaContextSequence,
    prompt: readonly Token[],
    request: GenerationRequest,
    signal: AbortSignal,
  ): AsyncGenerator<GenerationEvent> {
    const onTokens = (count: number): void => void (this.#promptTokens += count);
    const cachedTokens = await prefill(sequence, prompt, { signal, onTokens });
    const limit = Math.min(request.maxTokens ?? Infinity, this.context - prompt.length);
    const stops = new StopText(request.stop);
    const said: Token[] = [];
    const characters = new TokenText<Token>((tokens) =>
      this.#parts.model.detokenize(tokens, false, said.slice(-8)),
    );
    let reason: 'stop' | 'length' = 'stop';
    let completionTokens = 0;
    onTokens(1);
    for await (const token of sequence.evaluate(prompt.slice(-1), sampling(request))) {
      this.#predictedTokens += 1;
      signal.throwIfAborted();
      if (this.#endsAnswer(token)) break;
      completionTokens += 1;
      const piece = characters.push(token);
      if (piece !== '') said.push(token);
      const { text, stopped } = stops.push(piece);
      if (text !== '') yield { kind: 'text', text };
      signal.throwIfAborted();
      if (stopped) break;
      if (completionTokens >= limit) {
        reason = 'length';
        break;
      }
    }
    const rest = stops.flush();
    if (rest !== '') yield { kind: 'text', text: rest };
    yield { kind: 'end', reason, usage: { promptTokens: prompt.length, cachedTokens, completionTokens } };
  }

  /** Any control token, not the end tokens alone: FIM and turn markers are never text of an answer. */
  #endsAnswer(token: Token): boolean {
    const { model } = this.#parts;
    return model.isEogToken(token) || model.getTokenAttributes(token).control;
  }

  async embed(input: string | readonly number[], options: { signal: AbortSignal }): Promise<Embedding> {
    const signal = AbortSignal.any([options.signal, this.#closing.signal]);
    const { model } = this.#parts;
    const limit = this.context - 2;
    const tokens =
      typeof input === 'string'
        ? await promptTokens(model, input, limit, signal)
        : knownTokens(model, input, limit);
    const vector = await this.#parts.embedder.embed(tokens, { signal });
    this.#promptTokens += tokens.length;
    return { vector, tokens: tokens.length };
  }

  load(): Load {
    return {
      processing: this.#pool.lent,
      deferred: this.#pool.waiting,
      promptTokens: this.#promptTokens,
      predictedTokens: this.#predictedTokens,
    };
  }

  async close(): Promise<void> {
    this.#closing.abort(new HearthError('draining', 'The engine is stopping.'));
    await this.#pool.idle();
    await this.#parts.embedder.close();
    await this.#parts.context.dispose();
    await this.#parts.model.dispose();
  }
}

function sampling(request: GenerationRequest): {
  temperature: number;
  topP: number;
  topK: number;
  seed?: number;
} {
  return {
    temperature: request.temperature,
    topP: request.topP,
    topK: 0,
    ...(request.seed === undefined ? {} : { seed: request.seed }),
  };
}
