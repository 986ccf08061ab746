/** The engine's HTTP side: OpenAI's endpoints over one loaded model. Built here, listened on by main. */
import { randomUUID } from 'node:crypto';
import { HearthError, parseBody, toEnvelope } from '@hearth/protocol';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import type { Engine, GenerationRequest } from '../generation/engine.ts';
import { answer, clientGone } from './answer.ts';
import { type AnswerIdentity, chatShape, completionShape } from './answers.ts';
import { renderMetrics } from './metrics.ts';
import {
  type ChatBody,
  type CompletionBody,
  chatBody,
  completionBody,
  embeddingInputs,
  embeddingsBody,
  goesOn,
  messageText,
  refuseUnsupported,
  tokenizeBody,
} from './requests.ts';

export interface Served {
  /** The id the model goes by; a request may name any model, and gets this one. */
  readonly alias: string;
  readonly engine: Engine;
}

export interface AppOptions {
  /** Undefined while the model is fetched and loads. */
  readonly served: () => Served | undefined;
  readonly log: FastifyBaseLogger;
  readonly now: () => Date;
}

const BODY_LIMIT = 32 * 1024 * 1024;

export function buildApp({ served, log, now }: AppOptions): FastifyInstance {
  const app = fastify({
    loggerInstance: log,
    bodyLimit: BODY_LIMIT,
    genReqId: () => randomUUID(),
    logController: new LogController({ disableRequestLogging: true }),
  });
  const ready = (): Served => {
    const model = served();
    if (model !== undefined) return model;
    throw new HearthError('no_backend', 'The model is still loading.', { retryAfterS: 1 });
  };
  const seconds = (): number => Math.floor(now().getTime() / 1000);
  const started = now().getTime() / 1000;
  const identify = (id: string): AnswerIdentity => ({ id, model: ready().alias, created: seconds() });

  app.addHook('onSend', async (request, reply) => void reply.header('x-request-id', request.id));
  app.setNotFoundHandler((request) => {
    throw new HearthError('not_found', `There is no ${request.method} ${request.url.split('?')[0]} here.`);
  });
  app.setErrorHandler(async (error, request, reply) => {
    const fault = asHearthError(error);
    if (fault === undefined) request.log.error({ err: error }, 'request failed');
    const { status, body } = toEnvelope(fault ?? error, request.id);
    // A client still sending a refused body would see a broken pipe instead of this reply.
    reply.removeHeader('connection');
    if (fault?.retryAfterS !== undefined) reply.header('retry-after', fault.retryAfterS);
    return reply.status(status).send(body);
  });

  app.get('/health', () => (ready(), { status: 'ok' }));
  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4').send(renderMetrics(ready().engine.load(), started)),
  );
  app.get('/v1/models', () => ({
    object: 'list',
    data: [
      {
        id: ready().alias,
        object: 'model',
        created: Math.floor(started),
        owned_by: 'hearth',
        max_model_len: ready().engine.context,
      },
    ],
  }));

  app.post('/v1/completions', async (request, reply) => {
    const body = parseBody(completionBody, request.body);
    refuseUnsupported(body);
    await answer(request, reply, {
      engine: ready().engine,
      generation: generationOf(body, body.prompt, body.max_tokens),
      shape: completionShape(identify(request.id)),
      ...delivery(body),
    });
  });

  app.post('/v1/chat/completions', async (request, reply) => {
    const body = parseBody(chatBody, request.body);
    refuseUnsupported(body);
    const turns = body.messages.map(({ role, content }) => ({ role, content: messageText(content) }));
    await answer(request, reply, {
      engine: ready().engine,
      generation: generationOf(
        body,
        ready().engine.chatPrompt(turns, { goesOn: goesOn(body) }),
        body.max_completion_tokens ?? body.max_tokens,
      ),
      shape: chatShape(identify(request.id)),
      ...delivery(body),
    });
  });

  // llama-server's, for whoever has to know what fits.
  app.post('/tokenize', async (request, reply) => {
    const { content, add_special: whole } = parseBody(tokenizeBody, request.body);
    return { tokens: await ready().engine.tokenize(content, { whole, signal: clientGone(reply) }) };
  });

  app.post('/v1/embeddings', async (request, reply) => {
    const body = parseBody(embeddingsBody, request.body);
    const signal = clientGone(reply);
    const data: object[] = [];
    let tokens = 0;
    for (const input of embeddingInputs(body)) {
      const embedding = await ready().engine.embed(input, { signal });
      tokens += embedding.tokens;
      const packed = body.encoding_format === 'base64' ? base64(embedding.vector) : embedding.vector;
      data.push({ object: 'embedding', index: data.length, embedding: packed });
    }
    return {
      object: 'list',
      data,
      model: ready().alias,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    };
  });

  return app;
}

function generationOf(
  body: CompletionBody | ChatBody,
  prompt: string,
  maxTokens: number | null | undefined,
): GenerationRequest {
  return {
    prompt,
    maxTokens: maxTokens ?? undefined,
    temperature: body.temperature ?? 1,
    topP: body.top_p ?? 1,
    seed: body.seed ?? undefined,
    stop: [body.stop ?? []].flat(),
  };
}

function delivery(body: CompletionBody | ChatBody): { stream: boolean; includeUsage: boolean } {
  return { stream: body.stream === true, includeUsage: body.stream_options?.include_usage === true };
}

function base64(vector: readonly number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64');
}

/** Fastify's own refusals (bad JSON, too large, wrong media type) in Hearth's words. */
function asHearthError(error: unknown): HearthError | undefined {
  if (error instanceof HearthError) return error;
  const { statusCode, message } = error as { statusCode?: number; message: string };
  if (statusCode === 413)
    return new HearthError('body_too_large', `The body is larger than ${BODY_LIMIT} bytes.`);
  if (statusCode !== undefined && statusCode < 500) return new HearthError('invalid_request', message);
  return undefined;
}
