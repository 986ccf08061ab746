/**
 * Writes an answer to the client as server-sent events while it comes. What the client hasn't read is bounded: a full
 * socket pauses the backend, and a client that doesn't read for long is cut off.
 */
import type { OutgoingHttpHeaders } from 'node:http';
import { toEnvelope } from '@hearth/protocol';
import type { FastifyReply } from 'fastify';
import type { StreamEvent } from '../backends/event-reader.ts';
import type { Answered, Outcome, Sink } from '../gateway.ts';
import { answerComment, answerHeaders } from './answer-headers.ts';
import { ChunkedBody } from './chunked-body.ts';
import { cutIfStuck, noLongerCut, STREAM_HEADERS, type Client } from './client.ts';
import { outcomeError, sendOutcome } from './outcome.ts';

export class StreamSink implements Sink {
  readonly #client: Client;
  readonly #reply: FastifyReply;
  readonly #body: ChunkedBody;
  readonly #onDrain: () => void;
  readonly #keepAlive: NodeJS.Timeout;
  /** The client has a full socket, and more is not written to it. */
  #held = false;
  /** The status is out, and with it the chance of an error reply. */
  #committed = false;
  #known = false;

  /** `onDrain` is called when the client can take more, after `events` has said that it can't. */
  constructor(client: Client, onDrain: () => void) {
    this.#client = client;
    this.#reply = client.reply;
    this.#body = new ChunkedBody(client.reply.raw);
    this.#onDrain = onDrain;
    this.#keepAlive = setInterval(() => this.#stillHere(), client.limits.keepAliveMs);
    this.#reply.raw.once('close', () => clearInterval(this.#keepAlive));
  }

  opened(by: Answered): void {
    if (!this.#committed) this.#commit(answerHeaders(by));
    // The headers went out while everybody waited, and named nobody.
    else if (!this.#known) this.#body.write(answerComment(by));
    else this.#body.write(`: hearth continued on ${by.backend}\n\n`);
    this.#known = true;
  }

  events(events: StreamEvent[]): boolean {
    let text = '';
    for (const event of events) {
      const piece = this.#client.shape.piece(event);
      if (piece !== undefined) text += `data: ${piece}\n\n`;
    }
    if (text === '') return true;
    this.#keepAlive.refresh();
    if (this.#body.write(text)) return true;
    this.#waitForReader();
    return false;
  }

  document(): void {
    throw new Error('a document came where a stream was asked for');
  }

  ended(outcome: Outcome): void {
    clearInterval(this.#keepAlive);
    if (!this.#committed && outcome.kind !== 'done') {
      sendOutcome(this.#reply, this.#client.request, outcome);
      return;
    }
    if (!this.#committed) this.#commit({});
    // No [DONE] after an error: a cut answer must not look like a whole one.
    const last =
      outcome.kind === 'done'
        ? this.#client.shape.last()
        : JSON.stringify(toEnvelope(outcomeError(outcome), this.#client.request.id).body);
    this.#reply.raw.end(`data: ${last}\n\n`);
    // Who doesn't read the end is cut off like anybody else who doesn't read.
    if (this.#reply.raw.writableLength > 0) this.#waitForReader();
  }

  #commit(headers: Record<string, string>): void {
    this.#committed = true;
    this.#reply.hijack();
    // Through the reply, so that the log can say who answered.
    void this.#reply.headers({ ...STREAM_HEADERS, ...headers });
    const { raw } = this.#reply;
    raw.writeHead(200, this.#reply.getHeaders() as OutgoingHttpHeaders);
    // Held back by the socket's cork, so that it goes out with what follows.
    raw.socket?.cork();
    raw.flushHeaders();
    process.nextTick(() => raw.socket?.uncork());
  }

  #stillHere(): void {
    if (this.#held) return;
    if (!this.#committed) this.#commit({});
    this.#body.write(': still here\n\n');
  }

  #waitForReader(): void {
    if (this.#held) return;
    this.#held = true;
    cutIfStuck(this.#client);
    this.#body.onDrain(() => {
      this.#held = false;
      noLongerCut(this.#reply);
      this.#onDrain();
    });
  }
}
