/** The bytes that the scripted upstream sends: prebuilt chunks of OpenAI's stream, a stamp of the sending time in each. */

/** Ahead of the digits, so that a reader finds them in whatever JSON a gateway makes of the chunk. */
export const STAMP = '"content":"@';
export const STAMP_DIGITS = 16;
export const DONE = 'data: [DONE]\n\n';

const MODEL = 'Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8';
const ENVELOPE = {
  id: 'chatcmpl-7b1f0c5e9a4d4f0e8f35c2d1',
  object: 'chat.completion.chunk',
  created: 1_767_225_600,
  model: MODEL,
};

/** A chunk of HTTP's chunked encoding. */
const framed = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const event = (fields: object) => `data: ${JSON.stringify({ ...ENVELOPE, ...fields })}\n\n`;
const choice = (delta: object, finish: string | null) => ({
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
});

/** The reply's head and the role announcement, which a model server sends together. */
export const OPENING = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n' +
    `transfer-encoding: chunked\r\n\r\n${framed(event(choice({ role: 'assistant', content: '' }, null)))}`,
);

const stamped = framed(event(choice({ content: `@${'0'.repeat(STAMP_DIGITS)}` }, null)));
const TOKEN = Buffer.from(stamped);
const DIGITS_AT = stamped.indexOf(STAMP) + STAMP.length;

/** One token, with the time in microseconds. */
export function token(us: number): Buffer {
  const bytes = Buffer.from(TOKEN);
  bytes.write(String(us).padStart(STAMP_DIGITS, '0'), DIGITS_AT, 'latin1');
  return bytes;
}

const usage = event({ choices: [], usage: { prompt_tokens: 512, completion_tokens: 64, total_tokens: 576 } });
const finish = framed(event(choice({}, 'stop')));

/** The finish reason, `[DONE]`, and the end of the reply. */
export const ENDING = Buffer.from(`${finish}${framed(DONE)}0\r\n\r\n`);
export const ENDING_WITH_USAGE = Buffer.from(`${finish}${framed(usage)}${framed(DONE)}0\r\n\r\n`);

/** A whole reply with a length. */
function document(status: string, fields: object): Buffer {
  const body = JSON.stringify(fields);
  return Buffer.from(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

export const MODELS = document('200 OK', {
  object: 'list',
  data: [{ id: MODEL, object: 'model', created: ENVELOPE.created, owned_by: 'vllm' }],
});
export const HEALTHY = document('200 OK', {});
export const NOT_FOUND = document('404 Not Found', { error: { message: 'not found', type: 'not_found' } });

/** What a request gets that isn't the benchmark's, such as a gateway's own probe. */
export function probeReply(path: string, stream: boolean, withUsage: boolean): Buffer {
  const chat = path.includes('chat');
  if (!stream) {
    const answer = chat ? { message: { role: 'assistant', content: 'ok' } } : { text: 'ok' };
    return document('200 OK', {
      ...ENVELOPE,
      object: chat ? 'chat.completion' : 'text_completion',
      choices: [{ index: 0, ...answer, logprobs: null, finish_reason: 'stop' }],
      usage: { prompt_tokens: 8, completion_tokens: 1, total_tokens: 9 },
    });
  }
  const text = (content: string, finished: string | null) =>
    framed(
      event(
        chat
          ? choice({ content }, finished)
          : {
              object: 'text_completion',
              choices: [{ index: 0, text: content, logprobs: null, finish_reason: finished }],
            },
      ),
    );
  return Buffer.from(
    'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n' +
      `${text('ok', null)}${text('', 'stop')}${withUsage ? framed(usage) : ''}${framed(DONE)}0\r\n\r\n`,
  );
}
