/**
 * Writes an answer to the client as server-sent events while it comes. What the client hasn't read is bounded: a full
 * socket pauses the backend, and a client that doesn't read for long is cut off.
 */
import type { OutgoingHttpHeaders } from 'node:http';
import { toEnvelope } from '@hearth/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { StreamEvent } from '../backends/event-reader.ts';
import type { Answered, Outcome, Sink } from '../gateway.ts';
import { answerComment, answerHeaders } from './answer-headers.ts';
import { STREAM_HEADERS } from './client.ts';
import { outcomeError, sendOutcome } from './outcome.ts';
import type { ReplyShape } from './reply-shape.ts';

export interface StreamLimits {
  /** Milliseconds without a word after which a comment keeps the connection from being taken for dead. */
  keepAliveMs: number;
  /** Milliseconds that a client with a full socket may read nothing. */
  slowReaderMs: number;
}

/** Most proxies give up after 60 s without a byte, some after 30. */
export const STREAM_LIMITS: StreamLimits = { keepAliveMs: 10_000, slowReaderMs: 30_000 };

/** What the client's reading means for whoever feeds it. */
export interface Reader {
  /** It can take more. */
  ready: () => void;
  /** It has read nothing for too long, and its connection is gone. */
  slow: () => void;
}

export class StreamSink implements Sink {
  readonly #request: FastifyRequest;
  readonly #reply: FastifyReply;
  readonly #shape: ReplyShape;
  readonly #limits: StreamLimits;
  readonly #reader: Reader;
  readonly #keepAlive: NodeJS.Timeout;
  #slow: NodeJS.Timeout | undefined;
  /** The status is out, and with it the chance of an error reply. */
  #committed = false;
  #known = false;

  constructor(
    request: FastifyRequest,
    reply: FastifyReply,
    shape: ReplyShape,
    limits: StreamLimits,
    reader: Reader,
  ) {
    this.#request = request;
    this.#reply = reply;
    this.#shape = shape;
    this.#limits = limits;
    this.#reader = reader;
    this.#keepAlive = setInterval(() => this.#stillHere(), limits.keepAliveMs);
    reply.raw.once('close', () => this.#clear());
  }

  opened(by: Answered): void {
    if (!this.#committed) this.#commit(answerHeaders(by));
    // The headers went out while everybody waited, and named nobody.
    else if (!this.#known) this.#reply.raw.write(answerComment(by));
    else this.#reply.raw.write(`: hearth continued on ${by.backend}\n\n`);
    this.#known = true;
  }

  events(events: StreamEvent[]): boolean {
    let text = '';
    for (const event of events) {
      const piece = this.#shape.piece(event);
      if (piece !== undefined) text += `data: ${piece}\n\n`;
    }
    if (text === '') return true;
    this.#keepAlive.refresh();
    if (this.#reply.raw.write(text)) return true;
    this.#waitForReader();
    return false;
  }

  document(): void {
    throw new Error('a document came where a stream was asked for');
  }

  ended(outcome: Outcome): void {
    clearInterval(this.#keepAlive);
    if (!this.#committed && outcome.kind !== 'done') {
      sendOutcome(this.#reply, this.#request, outcome);
      return;
    }
    if (!this.#committed) this.#commit({});
    // No [DONE] after an error: a cut answer must not look like a whole one.
    const last =
      outcome.kind === 'done'
        ? this.#shape.last()
        : JSON.stringify(toEnvelope(outcomeError(outcome), this.#request.id).body);
    this.#reply.raw.end(`data: ${last}\n\n`);
    // Who doesn't read the end is cut off like anybody else who doesn't read.
    if (this.#reply.raw.writableLength > 0) this.#waitForReader();
  }

  #commit(headers: Record<string, string>): void {
    this.#committed = true;
    this.#reply.hijack();
    // Through the reply, so that the log can say who answered.
    void this.#reply.headers({ ...STREAM_HEADERS, ...headers });
    this.#reply.raw.writeHead(200, this.#reply.getHeaders() as OutgoingHttpHeaders);
  }

  #stillHere(): void {
    if (this.#slow !== undefined) return;
    if (!this.#committed) this.#commit({});
    this.#reply.raw.write(': still here\n\n');
  }

  #waitForReader(): void {
    if (this.#slow !== undefined) return;
    const { raw } = this.#reply;
    this.#slow = setTimeout(() => {
      raw.destroy();
      this.#reader.slow();
    }, this.#limits.slowReaderMs);
    raw.once('drain', () => {
      clearTimeout(this.#slow);
      this.#slow = undefined;
      this.#reader.ready();
    });
  }

  #clear(): void {
    clearInterval(this.#keepAlive);
    clearTimeout(this.#slow);
  }
}
