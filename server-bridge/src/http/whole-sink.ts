/** Collects an answer and sends it as one document: a stream's chunks put together, or the backend's own document. */
import { HearthError } from '@hearth/protocol';
import { Collector } from '../backends/chunks.ts';
import type { StreamEvent } from '../backends/event-reader.ts';
import type { Answered, Outcome, Sink } from '../gateway.ts';
import { answerHeaders } from './answer-headers.ts';
import { cutIfStuck, type Client } from './client.ts';
import { sendOutcome } from './outcome.ts';

/** Characters of JSON that an answer may have: a model that never stops must not fill the memory. */
const ANSWER_LIMIT = 64 * 1024 * 1024;

export class WholeSink implements Sink {
  readonly #client: Client;
  readonly #object: 'text_completion' | 'chat.completion';
  readonly #onTooLong: () => void;
  #collector: Collector;
  #length = 0;
  #document: string | undefined;

  /** `onTooLong` is called when the answer has outgrown the limit, after the client has been told. */
  constructor(client: Client, object: 'text_completion' | 'chat.completion', onTooLong: () => void) {
    this.#client = client;
    this.#object = object;
    this.#onTooLong = onTooLong;
    this.#collector = new Collector(object);
  }

  /** Once more if the first has been lost: nothing of that is kept. */
  opened(by: Answered): void {
    this.#collector = new Collector(this.#object);
    this.#length = 0;
    void this.#client.reply.headers(answerHeaders(by));
  }

  events(events: StreamEvent[]): boolean {
    for (const { chunk, data } of events) {
      this.#collector.add(chunk);
      this.#length += data.length;
    }
    if (this.#length <= ANSWER_LIMIT) return true;
    this.ended({
      kind: 'failed',
      error: new HearthError('backend_lost', `The answer has more than ${ANSWER_LIMIT} characters.`),
    });
    this.#onTooLong();
    return false;
  }

  document(text: string): void {
    this.#document = text;
  }

  ended(outcome: Outcome): void {
    const { request, reply, shape } = this.#client;
    cutIfStuck(this.#client);
    if (outcome.kind !== 'done') sendOutcome(reply, request, outcome);
    else if (this.#document !== undefined)
      reply.header('content-type', 'application/json; charset=utf-8').send(this.#document);
    else reply.send(shape.whole(this.#collector.reply()));
  }
}
