/** Runs one request that a model answers, from its headers to its last byte or its client's leaving. */
import { HEADER, HearthError } from '@hearth/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Answering, Ask, Gateway, Sink } from '../gateway.ts';
import { isPriority, PRIORITIES, type Priority } from '../routing/priority.ts';
import { whenClosed, whenLeft, type Client, type ClientLimits } from './client.ts';
import type { ReplyShape } from './reply-shape.ts';
import { StreamSink } from './stream-sink.ts';
import type { Supersede } from './supersede.ts';
import { WholeSink } from './whole-sink.ts';

/** What an endpoint makes of a request's body. */
export interface Plan extends Omit<Ask, 'priority' | 'held'> {
  /** Of its endpoint; the client may set another. */
  priority: Priority;
  /** The client wants the answer as it comes. */
  stream: boolean;
  shape: ReplyShape;
}

export interface Generating {
  gateway: Gateway;
  supersede: Supersede;
  limits: ClientLimits;
}

/** Returns at once; the reply is sent as the answer comes. @throws HearthError `draining`, `invalid_request` */
export function generate(
  { gateway, supersede, limits }: Generating,
  { stream, shape, ...ask }: Plan,
  keyId: string,
  request: FastifyRequest,
  reply: FastifyReply,
): void {
  const priority = priorityOf(request) ?? ask.priority;
  // Active until the last byte is out, which is later than the backend's last word.
  whenClosed(reply, gateway.enter());
  let answering: Answering | undefined;
  const cancel = () => answering?.cancel() ?? false;
  const onSlow = () => request.log.warn({ request: request.id }, 'a client that reads nothing is cut off');
  const client: Client = { request, reply, shape, limits, onSlow };
  const object = ask.role === 'chat' ? 'chat.completion' : 'text_completion';
  const sink: Sink = stream
    ? new StreamSink(client, () => answering?.resume())
    : new WholeSink(client, object, cancel);

  const token = request.headers[HEADER.supersede];
  if (typeof token === 'string') {
    const leave = supersede.enter(keyId, token, () => {
      if (!cancel()) return;
      const error = 'A newer request with the same supersede token took its place.';
      sink.ended({ kind: 'failed', error: new HearthError('superseded', error) });
    });
    whenClosed(reply, leave);
  }
  whenLeft(reply, cancel);
  // It may have left while its key was looked at.
  if (reply.raw.destroyed) return;
  // A body sent in chunks doesn't say its size beforehand: it counts as the largest.
  const held = Number(request.headers['content-length'] ?? request.routeOptions.bodyLimit);
  answering = gateway.answer(request.id, { ...ask, priority, held }, sink);
}

function priorityOf(request: FastifyRequest): Priority | undefined {
  const asked = request.headers[HEADER.priority];
  if (asked === undefined) return undefined;
  if (typeof asked === 'string' && isPriority(asked)) return asked;
  throw new HearthError('invalid_request', `${HEADER.priority} is one of ${PRIORITIES.join(', ')}.`, {
    param: HEADER.priority,
  });
}
