/** Who answered, as headers; and as a comment where the headers are out already. Pure. */
import { HEADER } from '@hearth/protocol';
import type { Answered } from '../gateway.ts';

export function answerHeaders(by: Answered): Record<string, string> {
  return {
    [HEADER.backend]: by.backend,
    [HEADER.model]: by.model,
    [HEADER.fallback]: by.fallback ? '1' : '0',
    [HEADER.attempts]: String(by.attempts),
    [HEADER.queueMs]: String(by.queueMs),
    ...(by.gpu !== undefined && { [HEADER.gpu]: by.gpu }),
  };
}

/** One line of an event stream that parsers skip and people can read. */
export function answerComment(by: Answered): string {
  const fields = Object.entries(answerHeaders(by)).map(([name, value]) => `${name}: ${value}`);
  return `: ${fields.join(', ')}\n\n`;
}
