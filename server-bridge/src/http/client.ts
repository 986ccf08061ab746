/** The client's side of a reply: whether it is still there, and the head that a stream begins with. */
import type { FastifyReply } from 'fastify';

/** Calls back when the reply is through or its client has left, at once if that is so already. */
export function whenClosed(reply: FastifyReply, callback: () => void): void {
  // `close` may have fired while the request was being authenticated; it doesn't fire again for latecomers.
  if (reply.raw.destroyed) callback();
  else reply.raw.once('close', callback);
}

/** Calls back if the client leaves before the reply is through: the one sign of that is the connection's close. */
export function whenLeft(reply: FastifyReply, callback: () => void): void {
  whenClosed(reply, () => {
    if (!reply.raw.writableFinished) callback();
  });
}

export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx would otherwise hold the stream back.
  'x-accel-buffering': 'no',
} as const;
