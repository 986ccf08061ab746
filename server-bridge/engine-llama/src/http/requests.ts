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

export const chatBody = chatRequest.extend(sampling);
export type ChatBody = z.infer<typeof chatBody>;

/** What OpenAI's own client asks for when its caller leaves it open is base64. */
export const embeddingsBody = embeddingsRequest.extend({
  encoding_format: z.enum(['float', 'base64']).nullish(),
});

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
