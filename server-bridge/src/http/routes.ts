/** The route table: each endpoint, who may call it, and what answers it. */
import {
  HearthError,
  chatRequest,
  completionRequest,
  infillRequest,
  parseBody,
  type BridgeStatus,
  type ChatRequest,
  type CompletionRequest,
  type ModelList,
  type TokenReply,
} from '@hearth/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Gateway } from '../gateway.ts';
import type { StatusFeed } from '../status-feed.ts';
import { authenticate, type Access } from './access-hook.ts';
import { streamReply } from './event-stream.ts';
import { generate, type Generation } from './generate.ts';
import { infillShape, OPENAI_SHAPE, type ReplyShape } from './reply-shape.ts';
import { Supersede } from './supersede.ts';
import { completionBody, infillAsCompletion, withUsage } from './upstream-body.ts';

export interface RouteParts {
  gateway: Gateway;
  /** Undefined where the bridge runs without keys. */
  access: Access | undefined;
  status: StatusFeed;
}

export function installRoutes(app: FastifyInstance, parts: RouteParts): void {
  const { gateway, access, status } = parts;
  const supersede = new Supersede();

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
  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    plan: () => Plan,
  ): Promise<FastifyReply> => {
    const { keyId } = await authenticate(access, request, 'inference');
    return await generate(gateway, supersede, { ...plan(), keyId }, request, reply);
  };

  app.post(
    '/v1/completions',
    async (request, reply) =>
      await answer(request, reply, () =>
        completion(parseBody(completionRequest, request.body), OPENAI_SHAPE),
      ),
  );

  app.post(
    '/infill',
    async (request, reply) =>
      await answer(request, reply, () => {
        const body = infillAsCompletion(parseBody(infillRequest, request.body));
        return completion(body, infillShape(body.model ?? 'auto'));
      }),
  );

  app.post(
    '/v1/chat/completions',
    async (request, reply) => await answer(request, reply, () => chat(parseBody(chatRequest, request.body))),
  );
}

type Plan = Omit<Generation, 'keyId'>;

function completion(body: CompletionRequest, shape: ReplyShape): Plan {
  return {
    model: body.model,
    role: 'completion',
    path: '/v1/completions',
    fim: body.suffix != null,
    stream: body.stream === true,
    shape,
    body: (backend, server) => withUsage(completionBody(body, backend, server)),
  };
}

function chat(body: ChatRequest): Plan {
  return {
    model: body.model,
    role: 'chat',
    path: '/v1/chat/completions',
    fim: false,
    stream: body.stream === true,
    shape: OPENAI_SHAPE,
    body: () => withUsage(body),
  };
}
