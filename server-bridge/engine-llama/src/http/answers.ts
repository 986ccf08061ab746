/** OpenAI's reply shapes for text completions and chat, whole and in chunks. Pure. */
import type { Usage } from '../generation/engine.ts';

type Reason = 'stop' | 'length';

/** One of the two endpoints' shapes; every function returns the object to be sent. */
export interface AnswerShape {
  whole(text: string, reason: Reason, usage: Usage): object;
  /** What goes before the first text. */
  opening(): object[];
  piece(text: string): object;
  closing(reason: Reason): object;
  usage(usage: Usage): object;
}

export interface AnswerIdentity {
  readonly id: string;
  readonly model: string;
  /** Seconds since 1970. */
  readonly created: number;
}

export function completionShape({ id, model, created }: AnswerIdentity): AnswerShape {
  const head = { id: `cmpl-${id}`, object: 'text_completion', created, model };
  const choice = (text: string, reason: Reason | null): object => ({
    ...head,
    choices: [{ index: 0, text, logprobs: null, finish_reason: reason }],
  });
  return {
    whole: (text, reason, usage) => ({ ...choice(text, reason), usage: usageBody(usage) }),
    opening: () => [],
    piece: (text) => choice(text, null),
    closing: (reason) => choice('', reason),
    usage: (usage) => ({ ...head, choices: [], usage: usageBody(usage) }),
  };
}

export function chatShape({ id, model, created }: AnswerIdentity): AnswerShape {
  const identity = { id: `chatcmpl-${id}`, created, model };
  const head = { ...identity, object: 'chat.completion.chunk' };
  const delta = (content: object, reason: Reason | null): object => ({
    ...head,
    choices: [{ index: 0, delta: content, logprobs: null, finish_reason: reason }],
  });
  return {
    whole: (content, reason, usage) => ({
      ...identity,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content, refusal: null },
          logprobs: null,
          finish_reason: reason,
        },
      ],
      usage: usageBody(usage),
    }),
    opening: () => [delta({ role: 'assistant', content: '' }, null)],
    piece: (content) => delta({ content }, null),
    closing: (reason) => delta({}, reason),
    usage: (usage) => ({ ...head, choices: [], usage: usageBody(usage) }),
  };
}

function usageBody({ promptTokens, cachedTokens, completionTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}
