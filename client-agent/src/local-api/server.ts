/** The agent's local API over an `Agent`: one table of routes behind the guard, errors as envelopes. */
import type { IncomingHttpHeaders } from 'node:http';
import { HearthError, toEnvelope } from '@hearth/protocol';
import fastify, { LogController } from 'fastify';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Agent } from '../agent.ts';
import { streamEvents } from './event-stream.ts';
import { refusal } from './guard.ts';

/** Nothing in this slice has a body that matters. */
const BODY_BYTES = 65_536;

/** Built, not listening. */
export function buildLocalApi(agent: Agent, log: Logger): FastifyInstance {
  const logger: FastifyBaseLogger = log;
  const app: FastifyInstance = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES,
    forceCloseConnections: true,
  });

  app.addHook('onRequest', async (request) => {
    const why = refusal(request.headers);
    if (why !== null) throw new HearthError('forbidden', why);
  });
  app.setErrorHandler((error, request, reply) => {
    if (!(error instanceof HearthError)) request.log.error({ err: error }, 'request failed');
    const { status, body } = toEnvelope(asKnown(error), request.id);
    return reply.code(status).send(body);
  });
  app.setNotFoundHandler((request) => {
    throw new HearthError(
      'not_found',
      `The agent has no ${request.method} ${request.url.split('?')[0] ?? ''}.`,
    );
  });
  // Bodies are accepted and ignored, whatever they call themselves.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, async () => undefined);

  app.get('/v1/status', async () => agent.status());
  app.post('/v1/connect', async () => agent.connect());
  app.post('/v1/disconnect', async () => agent.disconnect());
  app.get('/v1/token', async ({ headers }) => agent.token(wantsFresh(headers)));
  app.get('/v1/events', (_request, reply) => {
    reply.hijack();
    streamEvents(reply.raw, {
      current: () => agent.status(),
      onChange: (listener) => agent.onChange(listener),
    });
  });
  return app;
}

/** A client whose token was refused must not be given the same one again, so it says `no-cache`. */
const wantsFresh = (headers: IncomingHttpHeaders) =>
  headers['cache-control']?.split(',').some((word) => word.trim().toLowerCase() === 'no-cache') ?? false;

/** The framework's own complaints about a request are the client's fault, not a fault inside. */
function asKnown(error: unknown): unknown {
  if (error instanceof HearthError || !(error instanceof Error) || !('statusCode' in error)) return error;
  if (error.statusCode === 413) return new HearthError('body_too_large', error.message);
  if (error.statusCode === 400) return new HearthError('invalid_request', error.message);
  return error;
}
