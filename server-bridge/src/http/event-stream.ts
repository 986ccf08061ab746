/** Replies with server-sent events made by a generator, no faster than the client reads, until either side ends. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { STREAM_HEADERS, whenLeft } from './client.ts';

/** Sends what the generator yields, as it stands; the signal fires when the client is gone. */
export function streamReply(
  reply: FastifyReply,
  events: (signal: AbortSignal) => AsyncGenerator<string>,
): FastifyReply {
  const gone = new AbortController();
  whenLeft(reply, () => gone.abort());
  return reply.headers(STREAM_HEADERS).send(Readable.from(events(gone.signal)));
}
