/** Server-sent events of one client: whole documents, so that a slow reader gets the newest instead of all. */
import type { ServerResponse } from 'node:http';

/** Milliseconds between comments that keep the stream from looking dead. */
const COMMENT_MS = 15_000;

export interface EventSource {
  current: () => unknown;
  /** Gives a function that ends it. */
  onChange: (listener: () => void) => () => void;
}

/** Sends `current()` at once and after each change, and a comment every `commentMs`, until the client goes away. */
export function streamEvents(
  response: ServerResponse,
  source: EventSource,
  commentMs: number = COMMENT_MS,
): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let last = '';
  let waiting = false;
  const send = () => {
    if (waiting) return;
    const text = JSON.stringify(source.current());
    if (text === last) return;
    last = text;
    if (response.write(`event: status\ndata: ${text}\n\n`)) return;
    waiting = true;
    response.once('drain', () => {
      waiting = false;
      send();
    });
  };
  const off = source.onChange(send);
  const comment = setInterval(() => {
    if (!waiting) response.write(': still here\n\n');
  }, commentMs);
  response.once('close', () => {
    off();
    clearInterval(comment);
  });
  send();
}
