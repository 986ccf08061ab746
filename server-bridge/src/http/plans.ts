/** What each endpoint asks of a backend: the request's size and priority, and its body in the backend's own terms. */
import type {
  ChatRequest,
  CompletionRequest,
  EmbeddingsRequest,
  InfillRequest,
  RerankRequest,
} from '@hearth/protocol';
import { ENGINES } from '../backends/engines/engines.ts';
import type { Said } from '../gateway.ts';
import type { Plan } from './generate.ts';
import { infillShape, openaiShape, type ReplyShape } from './reply-shape.ts';
import { completionBody, infillAsCompletion, withUsage } from './upstream-body.ts';

/** `continues`: a plain-text stream that is lost may be gone on with by another backend. */
export function completion(body: CompletionRequest, continues: boolean): Plan {
  return completionAs(body, openaiShape({ usage: wantsUsage(body) }), continues && isPlain(body));
}

export function infill(body: InfillRequest, continues: boolean): Plan {
  const asked = infillAsCompletion(body);
  return completionAs(asked, infillShape(asked.model ?? 'auto'), continues);
}

function completionAs(body: CompletionRequest, shape: ReplyShape, continues: boolean): Plan {
  const fim = body.suffix != null;
  const stream = body.stream === true;
  return {
    model: body.model,
    role: 'completion',
    priority: 'interactive',
    reply: 'stream',
    path: '/v1/completions',
    fim,
    // What surrounds a gap is trimmed to the context; a plain prompt is sent whole or not at all.
    size: { bytes: fim ? 0 : Buffer.byteLength(body.prompt), answerTokens: body.max_tokens ?? 0 },
    stream,
    shape,
    onLoss: stream ? (continues ? 'continue' : 'end') : 'restart',
    body: (backend, server, said) => withUsage(completionBody(goneOn(body, said), backend, server)),
  };
}

export function chat(body: ChatRequest, continues: boolean): Plan {
  const stream = body.stream === true;
  return {
    model: body.model,
    role: 'chat',
    priority: 'chat',
    reply: 'stream',
    path: '/v1/chat/completions',
    fim: false,
    size: {
      bytes: body.messages.reduce((sum, { content }) => sum + textBytes(content), 0),
      answerTokens: body.max_completion_tokens ?? body.max_tokens ?? 0,
    },
    stream,
    shape: openaiShape({ usage: wantsUsage(body) }),
    onLoss: stream ? (continues && isPlain(body) ? 'continue' : 'end') : 'restart',
    body: ({ config }, _server, said) => {
      if (said.text === '') return withUsage(body);
      const messages = [...body.messages, { role: 'assistant', content: said.text }];
      return withUsage({ ...less(body, said), messages, ...ENGINES[config.engine].continuesChat });
    },
  };
}

export function embeddings(body: EmbeddingsRequest): Plan {
  return document('embedding', '/v1/embeddings', body);
}

export function rerank(body: RerankRequest): Plan {
  return document('rerank', '/v1/rerank', body);
}

function document(
  role: 'embedding' | 'rerank',
  path: string,
  body: { model?: string | undefined; [field: string]: unknown },
): Plan {
  return {
    model: body.model,
    role,
    priority: 'batch',
    reply: 'document',
    path,
    fim: false,
    // The model server judges: a batch has texts of many sizes, and it knows its limit for each.
    size: { bytes: 0, answerTokens: 0 },
    stream: false,
    shape: openaiShape({ usage: true }),
    onLoss: 'restart',
    body: () => body,
  };
}

/** The same request, as if the client had sent what has been said already. */
function goneOn(body: CompletionRequest, said: Said): CompletionRequest {
  return said.text === '' ? body : { ...less(body, said), prompt: body.prompt + said.text };
}

/** Fewer tokens by as many as have been said. */
function less<Body extends Record<string, unknown>>(body: Body, said: Said): Body {
  const limits = ['max_tokens', 'max_completion_tokens'].flatMap((field) => {
    const limit = body[field];
    return typeof limit === 'number' ? [[field, Math.max(limit - said.tokens, 1)]] : [];
  });
  return { ...body, ...Object.fromEntries(limits) };
}

/** Text alone, and one of it: what can be gone on with where it broke off. */
function isPlain(body: { n?: number | null | undefined; [field: string]: unknown }): boolean {
  const { n, tools, functions, response_format: format, logprobs, echo, best_of: best } = body;
  const isText = format == null || (format as { type?: unknown }).type === 'text';
  const guided = Object.keys(body).some((name) =>
    /^(?:guided_|structured_outputs$|grammar$|json_schema$)/.test(name),
  );
  return (n ?? 1) === 1 && isText && !guided && [tools, functions, logprobs, echo, best].every((one) => !one);
}

function wantsUsage(body: Record<string, unknown>): boolean {
  return (body.stream_options as { include_usage?: unknown } | null | undefined)?.include_usage === true;
}

/** Of a message's text; images and the like have a size of their own kind, and the backend judges those. */
function textBytes(content: unknown): number {
  if (typeof content === 'string') return Buffer.byteLength(content);
  if (!Array.isArray(content)) return 0;
  return content.reduce<number>((sum, part: unknown) => {
    const text = (part as { text?: unknown } | null)?.text;
    return sum + (typeof text === 'string' ? Buffer.byteLength(text) : 0);
  }, 0);
}
