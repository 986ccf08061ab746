/** How an answer is written down for the client: as OpenAI does it, or as llama.cpp's `/infill` does. Pure. */
import type { StreamEvent } from '../backends/event-reader.ts';

export interface ReplyShape {
  /** The data of a stream's event, one line; undefined for a chunk that says nothing in this shape. */
  piece: (event: StreamEvent) => string | undefined;
  /** The data of the event that ends a whole stream. */
  last: () => string;
  /** The one document, from what was collected. */
  whole: (reply: Record<string, unknown>) => unknown;
}

/** Backends are always asked for the usage; a client that streams gets it if it asked, too. */
export function openaiShape({ usage }: { usage: boolean }): ReplyShape {
  return {
    piece: ({ chunk, data }) =>
      usage || chunk.usage == null || (chunk.choices ?? []).length > 0 ? data : undefined,
    last: () => '[DONE]',
    whole: (reply) => reply,
  };
}

/** For one reply: it counts what it has said. `model` is the model that was asked. */
export function infillShape(model: string): ReplyShape {
  let pieces = 0;
  let finish: string | null | undefined;
  const end = (content: string, predicted: number, evaluated?: number) => ({
    index: 0,
    content,
    stop: true,
    model,
    stop_type: finish === 'length' ? 'limit' : 'eos',
    tokens_predicted: predicted,
    ...(evaluated !== undefined && { tokens_evaluated: evaluated }),
    truncated: false,
  });
  return {
    piece: ({ chunk }) => {
      const [choice] = chunk.choices ?? [];
      finish = choice?.finish_reason ?? finish;
      if (!choice?.text) return undefined;
      pieces++;
      return JSON.stringify({ index: 0, content: choice.text, stop: false });
    },
    last: () => JSON.stringify(end('', pieces)),
    whole: (reply) => {
      const { choices, usage } = reply as {
        choices: { text?: string; finish_reason?: string | null }[];
        usage?: { completion_tokens?: number; prompt_tokens?: number };
      };
      finish = choices[0]?.finish_reason;
      return end(choices[0]?.text ?? '', usage?.completion_tokens ?? 0, usage?.prompt_tokens);
    },
  };
}
