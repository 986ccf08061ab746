/** The engine's own view of OpenAI requests: stricter than the bridge's where llama.cpp can't do what is asked. */
import { chatRequest, completionRequest, embeddingsRequest, HearthError } from '@hearth/protocol';
import { z } from 'zod';

const sampling = {
  top_p: z.number().gt(0).max(1).nullish(),
  seed: z.int().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
};

export const completionBody = completionRequest.extend(sampling);
export type CompletionBody = z.infer<typeof completionBody>;

export const chatBody = chatRequest.extend({
  ...sampling,
  /** As vLLM and llama-server have it: the last message is the assistant's and unfinished, the answer is its rest. */
  continue_final_message: z.boolean().nullish(),
  add_generation_prompt: z.boolean().nullish(),
});
export type ChatBody = z.infer<typeof chatBody>;

/** llama-server's. Special tokens in the text count as such, as they do in a prompt. */
export const tokenizeBody = z.looseObject({
  content: z.string(),
  /** Whether what the model puts before each prompt is counted too. */
  add_special: z.boolean().default(false),
});

/** What OpenAI's own client asks for when its caller leaves it open is base64. */
export const embeddingsBody = embeddingsRequest.extend({
  encoding_format: z.enum(['float', 'base64']).nullish(),
});

/** OpenAI's four forms as a list: each is to have a vector of its own. */
export function embeddingInputs({ input }: z.infer<typeof embeddingsBody>): (string | number[])[] {
  if (typeof input === 'string') return [input];
  const texts: (string | number[])[] = [];
  const tokens: number[] = [];
  for (const item of input) {
    if (typeof item === 'number') tokens.push(item);
    else texts.push(item);
  }
  return tokens.length > 0 ? [tokens] : texts;
}

/** Text of a chat message: a string, or OpenAI's list of text parts. @throws HearthError invalid_request */
export function messageText(content: unknown): string {
  const parsed = messageContent.safeParse(content);
  if (!parsed.success) {
    throw new HearthError(
      'invalid_request',
      'This model reads text only: a string or a list of text parts.',
      {
        param: 'messages',
      },
    );
  }
  const { data } = parsed;
  if (data == null) return '';
  return typeof data === 'string' ? data : data.map((part) => part.text).join('');
}

const messageContent = z
  .union([z.string(), z.array(z.looseObject({ type: z.literal('text'), text: z.string() }))])
  .nullish();

/** Whether the answer is the rest of the last message. @throws HearthError invalid_request where that can't be */
export function goesOn({ continue_final_message, add_generation_prompt, messages }: ChatBody): boolean {
  if (continue_final_message !== true) return false;
  if (add_generation_prompt === true) {
    throw new HearthError(
      'invalid_request',
      'An answer either goes on with the last message or starts a new one: set one of "continue_final_message" and "add_generation_prompt".',
      { param: 'continue_final_message' },
    );
  }
  if (messages.at(-1)?.role === 'assistant') return true;
  throw new HearthError('invalid_request', 'Only a last message of the assistant can be continued.', {
    param: 'messages',
  });
}

/** @throws HearthError invalid_request for what would be answered wrongly if it were ignored. */
export function refuseUnsupported(body: CompletionBody | ChatBody): void {
  if (typeof body['suffix'] === 'string') {
    throw new HearthError(
      'invalid_request',
      'This engine takes raw prompts: send the model’s fill-in-the-middle tokens in "prompt" instead of "suffix".',
      { param: 'suffix' },
    );
  }
  if ((body.n ?? 1) !== 1) {
    throw new HearthError('invalid_request', 'One answer a request: "n" has to be 1.', { param: 'n' });
  }
}
