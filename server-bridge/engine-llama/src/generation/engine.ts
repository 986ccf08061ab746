/** What the HTTP side needs of a language model, whatever runs it. */

export interface GenerationRequest {
  /** Raw text; special tokens in it count as such. */
  readonly prompt: string;
  /** Absent: until the context is full. */
  readonly maxTokens: number | undefined;
  /** 0 is greedy. */
  readonly temperature: number;
  readonly topP: number;
  readonly seed: number | undefined;
  /** Texts that end the answer and aren't part of it. */
  readonly stop: readonly string[];
}

export interface Usage {
  readonly promptTokens: number;
  /** Of the prompt's tokens, how many were still in the sequence's cache. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

export type GenerationEvent =
  /** Never empty, never half a character, never part of a stop text. */
  { kind: 'text'; text: string } | { kind: 'end'; reason: 'stop' | 'length'; usage: Usage };

/** Running totals since the start, and what goes on now. */
export interface Load {
  readonly processing: number;
  readonly deferred: number;
  readonly promptTokens: number;
  readonly predictedTokens: number;
}

export interface ChatTurn {
  readonly role: string;
  readonly content: string;
}

export interface Embedding {
  /** Of length 1. */
  readonly vector: readonly number[];
  readonly tokens: number;
}

export interface Engine {
  /** Tokens a sequence holds, prompt and answer together. */
  readonly context: number;
  /** UTF-8 bytes of ordinary code that one token stands for. */
  readonly bytesPerToken: number;
  /**
   * The prompt for the next assistant turn, by the model's own template; or, if it `goesOn`, for the rest of the last
   * one, which is the assistant's.
   *
   * @throws HearthError invalid_request
   */
  chatPrompt(turns: readonly ChatTurn[], options: { goesOn: boolean }): string;
  /** Token ids of a text of any length; `whole` adds what the model puts before a prompt. */
  tokenize(text: string, options: { whole: boolean; signal: AbortSignal }): Promise<number[]>;
  /**
   * Events end with exactly one `end`. Waits for a free sequence, first come first served. Leaving the loop or
   * aborting stops the decoding and frees the sequence; an abort ends the iteration with the signal's reason.
   *
   * @throws HearthError context_too_long
   */
  generate(request: GenerationRequest, options: { signal: AbortSignal }): AsyncGenerator<GenerationEvent>;
  /** Of a text, or of its token ids. @throws HearthError context_too_long, invalid_request */
  embed(input: string | readonly number[], options: { signal: AbortSignal }): Promise<Embedding>;
  load(): Load;
  close(): Promise<void>;
}
