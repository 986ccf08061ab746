/** The client's side of a reply: whether it is still there, and the head that a stream begins with. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ReplyShape } from './reply-shape.ts';

/** Who is to get an answer, and how. */
export interface Client {
  request: FastifyRequest;
  reply: FastifyReply;
  shape: ReplyShape;
  limits: ClientLimits;
  /** It has read nothing for too long, and its connection is gone. */
  onSlow: () => void;
}

export interface ClientLimits {
  /** Milliseconds without a word after which a comment keeps a stream from being taken for dead. */
  keepAliveMs: number;
  /** Milliseconds in which nothing of what waits for it gets through. */
  slowReaderMs: number;
}

/** Most proxies give up after 60 s without a byte, some after 30. */
export const CLIENT_LIMITS: ClientLimits = { keepAliveMs: 10_000, slowReaderMs: 30_000 };

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

/**
 * From now on the client is cut off when for so long nothing of what waits for it gets through. Any progress counts,
 * however slow: that is the socket's own timeout. Not to be on while there is nothing for it to read.
 */
export function cutIfStuck({
  reply: { raw },
  limits,
  onSlow,
}: Pick<Client, 'reply' | 'onSlow'> & { limits: Pick<ClientLimits, 'slowReaderMs'> }): void {
  raw.socket?.setTimeout(limits.slowReaderMs);
  if (raw.listenerCount('timeout') > 0) return;
  raw.once('timeout', () => {
    raw.destroy();
    onSlow();
  });
}

export function noLongerCut({ raw }: FastifyReply): void {
  raw.socket?.setTimeout(0);
}

export const STREAM_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx would otherwise hold the stream back.
  'x-accel-buffering': 'no',
} as const;
