/** Server-sent events on a raw reply, no faster than the client reads them. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

export class EventStream {
  readonly #response: ServerResponse;
  readonly #signal: AbortSignal;

  constructor(response: ServerResponse, signal: AbortSignal) {
    this.#response = response;
    this.#signal = signal;
  }

  open(headers: Readonly<Record<string, string>>): void {
    this.#response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      connection: 'keep-alive',
    });
  }

  /** Waits while the client's buffer is full. An abort meanwhile rejects. */
  async send(data: object | '[DONE]'): Promise<void> {
    const text = typeof data === 'string' ? data : JSON.stringify(data);
    if (!this.#response.write(`data: ${text}\n\n`))
      await once(this.#response, 'drain', { signal: this.#signal });
  }

  end(): void {
    this.#response.end();
  }
}
