/** Replies with server-sent events, no faster than the client reads, until either side ends. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** Aborted when the client's connection closes before the reply is complete: the one sign of a client that left. */
export function clientSignal(reply: FastifyReply): AbortController {
  const gone = new AbortController();
  whenClosed(reply, () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return gone;
}

/** Calls back when the reply is through or its client has left, at once if that is so already. */
export function whenClosed(reply: FastifyReply, callback: () => void): void {
  // `close` may have fired while the request was being authenticated; it doesn't fire again for latecomers.
  if (reply.raw.destroyed) callback();
  else reply.raw.once('close', callback);
}

/** Sends what the generator yields, as it stands; the signal fires when the client is gone. */
export function streamReply(
  reply: FastifyReply,
  events: (signal: AbortSignal) => AsyncGenerator<string>,
): FastifyReply {
  const { signal } = clientSignal(reply);
  return sendEvents(reply, events(signal));
}

export function sendEvents(reply: FastifyReply, events: AsyncGenerator<string>): FastifyReply {
  void reply.header('content-type', 'text/event-stream; charset=utf-8');
  void reply.header('cache-control', 'no-cache');
  // nginx would otherwise hold the stream back.
  void reply.header('x-accel-buffering', 'no');
  return reply.send(Readable.from(events));
}
