/** Turns whatever went wrong into the error envelope: fastify's own faults, ours, and the unexpected. */
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { HEADER, HearthError, toEnvelope } from '@hearth/protocol';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

export function installErrorHandling(app: FastifyInstance, bodyLimitMb: number): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    // Fastify closes the connection on a refused body, and a client still sending then sees a broken pipe instead of
    // the reason. Kept open, the rest is read and dropped, for as long as requestTimeout allows.
    void reply.removeHeader('connection');
    return sendError(reply, request, translate(error, bodyLimitMb));
  });
  app.setNotFoundHandler((request, reply) =>
    sendError(
      reply,
      request,
      new HearthError('not_found', `There is nothing at ${request.method} ${pathOf(request)}.`),
    ),
  );
}

/** Answers what isn't even a request: a malformed one, or headers beyond the limit. The socket is raw here. */
export function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return;
  const message =
    error.code === 'HPE_HEADER_OVERFLOW' ? 'The headers are too large.' : 'This is not an HTTP request.';
  const { body } = toEnvelope(new HearthError('invalid_request', message), newRequestId());
  const text = JSON.stringify(body);
  const head = [
    'HTTP/1.1 400 Bad Request',
    `${HEADER.requestId}: ${body.error.request_id}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(text)}`,
    'connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${text}`);
}

export function newRequestId(): string {
  return `req_${randomUUID()}`;
}

/** Sends the envelope with its status and headers. */
export function sendError(reply: FastifyReply, request: FastifyRequest, error: unknown): FastifyReply {
  const { status, body } = toEnvelope(error, request.id);
  if (status >= 500 && !(error instanceof HearthError))
    request.log.error({ request: request.id, err: error }, 'unexpected fault');
  if (error instanceof HearthError && error.retryAfterS !== undefined)
    void reply.header('retry-after', String(error.retryAfterS));
  // A URL that fastify can't read never reaches the hook that sets this for all the others.
  return reply.status(status).header(HEADER.requestId, request.id).send(body);
}

function translate(error: FastifyError, bodyLimitMb: number): unknown {
  if (error instanceof HearthError) return error;
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new HearthError(
      'body_too_large',
      `The body is larger than the ${bodyLimitMb} MB that limits.body_mb allows.`,
    );
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
    return new HearthError(
      'invalid_request',
      'The body has to be JSON: send "content-type: application/json".',
    );
  if (
    error instanceof SyntaxError ||
    error.code === 'FST_ERR_CTP_EMPTY_JSON_BODY' ||
    error.code === 'FST_ERR_CTP_INVALID_JSON_BODY'
  )
    return new HearthError('invalid_request', `The body is not JSON: ${error.message}`);
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
    return new HearthError('invalid_request', error.message);
  return error;
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '';
}
