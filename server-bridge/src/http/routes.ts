/** The route table: each endpoint, who may call it, and what answers it. */
import {
  HearthError,
  chatRequest,
  completionRequest,
  embeddingsRequest,
  infillRequest,
  parseBody,
  rerankRequest,
  type BridgeStatus,
  type ModelList,
  type TokenReply,
} from '@hearth/protocol';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Gateway } from '../gateway.ts';
import type { StatusFeed } from '../status-feed.ts';
import { authenticate, type Access } from './access-hook.ts';
import type { ClientLimits } from './client.ts';
import { streamReply } from './event-stream.ts';
import { generate, type Generating, type Plan } from './generate.ts';
import { chat, completion, embeddings, infill, rerank } from './plans.ts';
import { Supersede } from './supersede.ts';

export interface RouteParts {
  gateway: Gateway;
  /** Undefined where the bridge runs without keys. */
  access: Access | undefined;
  status: StatusFeed;
  limits: ClientLimits;
  /** Whether a plain-text stream that is lost may be gone on with by another backend; read for each request. */
  continueOnFailure: () => boolean;
}

export function installRoutes(app: FastifyInstance, parts: RouteParts): void {
  const { gateway, access, status, limits, continueOnFailure } = parts;
  const generating: Generating = { gateway, supersede: new Supersede(), limits };

  app.get('/health', () => ({ status: 'ok' }));

  app.get('/ready', (_request, reply) => {
    const { models, backends } = status.current();
    const ready = models.some((model) => model.hearth.state !== 'down');
    return reply.status(ready ? 200 : 503).send({
      status: ready ? 'ready' : 'not_ready',
      backends: backends.map(({ id, state, reason }) => ({ id, state, reason })),
    });
  });

  app.get('/v1/models', async (request): Promise<ModelList> => {
    await authenticate(access, request, 'inference');
    return { object: 'list', data: status.current().models };
  });

  app.get('/hearth/v1/status', async (request): Promise<BridgeStatus> => {
    await authenticate(access, request, 'inference');
    return status.current();
  });

  app.get('/hearth/v1/events', async (request, reply) => {
    await authenticate(access, request, 'inference');
    return streamReply(reply, (signal) => status.events(signal));
  });

  app.post('/hearth/v1/token', async (request): Promise<TokenReply> => {
    const { keyId } = await authenticate(access, request, 'inference', { keyOnly: true });
    if (access === undefined)
      throw new HearthError(
        'invalid_request',
        'This bridge runs without keys, so there is no token to be had, nor any need for one.',
      );
    const { token, expiresAt } = await access.tokens.issue(keyId, new Date());
    return { token, expires_at: expiresAt.toISOString() };
  });

  /** Who asks comes before what is asked: a body is looked into for those who may ask. */
  const answers = (path: string, plan: (request: FastifyRequest) => Plan) =>
    app.post(path, async (request, reply) => {
      const { keyId } = await authenticate(access, request, 'inference');
      generate(generating, plan(request), keyId, request, reply);
      return reply;
    });

  answers('/v1/completions', ({ body }) =>
    completion(parseBody(completionRequest, body), continueOnFailure()),
  );
  answers('/v1/chat/completions', ({ body }) => chat(parseBody(chatRequest, body), continueOnFailure()));
  answers('/infill', ({ body }) => infill(parseBody(infillRequest, body), continueOnFailure()));
  answers('/v1/embeddings', ({ body }) => embeddings(parseBody(embeddingsRequest, body)));
  answers('/v1/rerank', ({ body }) => rerank(parseBody(rerankRequest, body)));
}
