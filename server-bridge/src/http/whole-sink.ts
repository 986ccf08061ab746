/** Collects an answer and sends it as one document: a stream's chunks put together, or the backend's own document. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { HearthError } from '@hearth/protocol';
import { Collector } from '../backends/chunks.ts';
import type { StreamEvent } from '../backends/event-reader.ts';
import type { Answered, Outcome, Sink } from '../gateway.ts';
import { answerHeaders } from './answer-headers.ts';
import { sendOutcome } from './outcome.ts';
import type { ReplyShape } from './reply-shape.ts';

/** Characters of JSON that an answer may have: a model that never stops must not fill the memory. */
const ANSWER_LIMIT = 64 * 1024 * 1024;

export class WholeSink implements Sink {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #shape: ReplyShape;
  readonly #object: 'text_completion' | 'chat.completion';
  readonly #tooLong: () => void;
  #collector: Collector;
  #length = 0;
  #document: string | undefined;

  /** `tooLong` is called when the answer has outgrown the limit, after the client has been told. */
  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    shape: ReplyShape,
    object: 'text_completion' | 'chat.completion',
    tooLong: () => void,
  ) {
    this.#request = request;
    this.#reply = reply;
    this.#shape = shape;
    this.#object = object;
    this.#tooLong = tooLong;
    this.#collector = new Collector(object);
  }

  /** Once more if the first has been lost: nothing of that is kept. */
  opened(by: Answered): void {
    this.#collector = new Collector(this.#object);
    this.#length = 0;
    void this.#reply.headers(answerHeaders(by));
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
    this.#tooLong();
    return false;
  }

  document(text: string): void {
    this.#document = text;
  }

  ended(outcome: Outcome): void {
    if (outcome.kind !== 'done') sendOutcome(this.#reply, this.#request, outcome);
    else if (this.#document !== undefined)
      this.#reply.header('content-type', 'application/json; charset=utf-8').send(this.#document);
    else this.#reply.send(this.#shape.whole(this.#collector.reply()));
  }
}
