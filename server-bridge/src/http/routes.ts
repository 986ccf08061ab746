/** The route table: each endpoint, who may call it, and what answers it. */
import {
  HearthError,
  chatRequest,
  completionRequest,
  parseBody,
  type BridgeStatus,
  type ModelEntry,
  type ModelList,
  type TokenReply,
} from '@hearth/protocol';
import type { FastifyInstance } from 'fastify';
import type { Backend, Server } from '../backends/backend.ts';
import type { Gateway } from '../gateway.ts';
import { renderFim, trimFim } from '../models/fim.ts';
import { authenticate, type Access } from './access-hook.ts';
import { generate } from './generate.ts';
import { Supersede } from './supersede.ts';

export interface RouteParts {
  gateway: Gateway;
  /** Undefined where the bridge runs without keys. */
  access: Access | undefined;
  models: () => ModelEntry[];
  backends: Iterable<Backend>;
  version: string;
}

export function installRoutes(app: FastifyInstance, parts: RouteParts): void {
  const { gateway, access, models, backends, version } = parts;
  const supersede = new Supersede();

  app.get('/health', () => ({ status: 'ok' }));

  app.get('/ready', (_request, reply) => {
    const list = models();
    const ready = list.some((model) => model.hearth.state !== 'down');
    const waiting = Array.from(backends, (backend) => backend.status()).map(({ id, state, reason }) => ({
      id,
      state,
      reason,
    }));
    return reply.status(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not_ready', backends: waiting });
  });

  app.get('/v1/models', async (request): Promise<ModelList> => {
    await authenticate(access, request, 'inference');
    return { object: 'list', data: models() };
  });

  app.get('/hearth/v1/status', async (request): Promise<BridgeStatus> => {
    await authenticate(access, request, 'inference');
    return { version, models: models(), backends: Array.from(backends, (backend) => backend.status()) };
  });

  app.post('/hearth/v1/token', async (request): Promise<TokenReply> => {
    const { keyId } = await authenticate(access, request, 'inference');
    if (access === undefined)
      throw new HearthError(
        'invalid_request',
        'This bridge runs without keys, so there is no token to be had, nor any need for one.',
      );
    const { token, expiresAt } = await access.tokens.issue(keyId, new Date());
    return { token, expires_at: expiresAt.toISOString() };
  });

  app.post('/v1/completions', async (request, reply) => {
    const { keyId } = await authenticate(access, request, 'inference');
    const body = parseBody(completionRequest, request.body);
    const fim = body.suffix != null;
    return await generate(
      gateway,
      supersede,
      {
        keyId,
        model: body.model,
        role: 'completion',
        path: '/v1/completions',
        fim,
        stream: body.stream === true,
        body: (backend, server) => withUsage(fim ? filledIn(body, backend, server) : plain(body)),
      },
      request,
      reply,
    );
  });

  app.post('/v1/chat/completions', async (request, reply) => {
    const { keyId } = await authenticate(access, request, 'inference');
    const body = parseBody(chatRequest, request.body);
    return await generate(
      gateway,
      supersede,
      {
        keyId,
        model: body.model,
        role: 'chat',
        path: '/v1/chat/completions',
        fim: false,
        stream: body.stream === true,
        body: () => withUsage(body),
      },
      request,
      reply,
    );
  });
}

type CompletionBody = ReturnType<typeof completionRequest.parse>;

/** Tokens kept for the answer where the request doesn't say. */
const ANSWER_TOKENS = 256;

/** The request as a raw prompt in the backend's own format: `suffix` and `hearth` are ours and don't go further. */
function filledIn(body: CompletionBody, backend: Backend, server: Server): Record<string, unknown> {
  const { suffix, prompt, hearth, stop, ...rest } = body;
  const tokens = server.context - (body.max_tokens ?? ANSWER_TOKENS) - FIM_TOKENS;
  const input = trimFim(
    { prefix: prompt, suffix: suffix ?? '', context: hearth },
    Math.floor(tokens * server.bytesPerToken),
  );
  const fim = renderFim(backend.config.fim, input);
  if (fim === undefined)
    throw new Error(`backend ${backend.config.id} has no FIM format but was chosen for one`);
  const asked = typeof stop === 'string' ? [stop] : (stop ?? []);
  return { ...rest, prompt: fim.prompt, stop: [...asked, ...fim.stop] };
}

/** The format's own tokens around the text, with room to spare. */
const FIM_TOKENS = 16;

function plain(body: CompletionBody): Record<string, unknown> {
  const { suffix: _, hearth: __, ...rest } = body;
  return rest;
}

/** A client that wants one document gets the usage in it; one that streams decides for itself. */
function withUsage(body: Record<string, unknown>): Record<string, unknown> {
  return body.stream === true ? body : { ...body, stream_options: { include_usage: true } };
}
