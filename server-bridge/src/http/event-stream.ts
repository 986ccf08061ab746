/** Replies with server-sent events made by a generator, no faster than the client reads, until either side ends. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { CLIENT_LIMITS, cutIfStuck, STREAM_HEADERS, whenLeft } from './client.ts';

/** Sends what the generator yields, as it stands; the signal fires when the client is gone. */
export function streamReply(
  reply: FastifyReply,
  events: (signal: AbortSignal) => AsyncGenerator<string>,
): FastifyReply {
  const gone = new AbortController();
  whenLeft(reply, () => gone.abort());
  // There is a comment every 15 s: who gets none of them doesn't read.
  cutIfStuck({ reply, limits: CLIENT_LIMITS, onSlow: () => {} });
  return reply.headers(STREAM_HEADERS).send(Readable.from(events(gone.signal)));
}
