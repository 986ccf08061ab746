/** Answers a completion or a chat turn: as server-sent events while the client reads, or as one JSON document. */
import { HEADER, HearthError, toEnvelope } from '@hearth/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Collector, type Chunk } from '../backends/chunks.ts';
import type { StreamEnd } from '../backends/upstream.ts';
import type { Answered, Ask, Gateway } from '../gateway.ts';
import { sendError } from './errors.ts';
import { clientSignal, sendEvents, whenClosed } from './event-stream.ts';
import type { ReplyShape } from './reply-shape.ts';
import type { Supersede } from './supersede.ts';

export interface Generation extends Omit<Ask, 'signal'> {
  stream: boolean;
  shape: ReplyShape;
  keyId: string;
}

export async function generate(
  gateway: Gateway,
  supersede: Supersede,
  generation: Generation,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const cancel = clientSignal(reply);
  // Active until the last byte is out, which is later than the backend's last word.
  whenClosed(reply, gateway.enter());
  const token = request.headers[HEADER.supersede];
  if (typeof token === 'string') {
    const { done } = supersede.enter(generation.keyId, token, cancel);
    whenClosed(reply, done);
  }

  const answer = await gateway.answer({ ...generation, signal: cancel.signal });
  if (answer.kind === 'cancelled') return cancelled(cancel.signal, request, reply);
  describe(reply, answer.by);
  if (answer.kind === 'refused') return refused(reply, request, answer.status, answer.body);
  if (!generation.stream) return await whole(generation, answer.chunks, cancel.signal, request, reply);

  return sendEvents(reply, events(answer.chunks, generation.shape, cancel.signal, request));
}

function describe(reply: FastifyReply, by: Answered): void {
  void reply.headers({
    [HEADER.backend]: by.backend,
    [HEADER.model]: by.model,
    [HEADER.fallback]: by.fallback ? '1' : '0',
    [HEADER.attempts]: String(by.attempts),
    [HEADER.queueMs]: String(by.queueMs),
    ...(by.gpu !== undefined && { [HEADER.gpu]: by.gpu }),
  });
}

async function* events(
  chunks: AsyncGenerator<Chunk, StreamEnd>,
  shape: ReplyShape,
  signal: AbortSignal,
  request: FastifyRequest,
): AsyncGenerator<string> {
  const end = yield* asEvents(chunks, shape);
  if (end.kind === 'done') yield event(shape.last());
  else {
    const error = end.kind === 'lost' ? lost(end) : signal.reason;
    // No [DONE] after this: a cut answer must not look like a whole one.
    yield event(toEnvelope(error, request.id).body);
  }
}

async function* asEvents(
  chunks: AsyncGenerator<Chunk, StreamEnd>,
  shape: ReplyShape,
): AsyncGenerator<string, StreamEnd> {
  try {
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) return next.value;
      const piece = shape.piece(next.value);
      if (piece !== undefined) yield event(piece);
    }
  } finally {
    await chunks.return({ kind: 'cancelled' });
  }
}

function event(data: unknown): string {
  return `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`;
}

async function whole(
  generation: Generation,
  chunks: AsyncGenerator<Chunk, StreamEnd>,
  signal: AbortSignal,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const collector = new Collector(generation.role === 'chat' ? 'chat.completion' : 'text_completion');
  let end: StreamEnd;
  try {
    for (;;) {
      const next = await chunks.next();
      if (next.done === true) {
        end = next.value;
        break;
      }
      collector.add(next.value);
    }
  } finally {
    await chunks.return({ kind: 'cancelled' });
  }
  if (end.kind === 'done') return reply.send(generation.shape.whole(collector.reply()));
  if (end.kind === 'cancelled') return cancelled(signal, request, reply);
  return sendError(reply, request, lost(end));
}

function lost(end: StreamEnd & { kind: 'lost' }): HearthError {
  return new HearthError(
    end.cause === 'timeout' ? 'backend_timeout' : 'backend_lost',
    `The answer broke off: ${end.message}.`,
  );
}

/** A superseded request gets its 409; a client that left gets nothing, since there is nobody to read it. */
function cancelled(signal: AbortSignal, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (signal.reason instanceof HearthError) return sendError(reply, request, signal.reason);
  return reply.hijack();
}

/** A backend's own 4xx, in our envelope unless it is in OpenAI's already. */
function refused(reply: FastifyReply, request: FastifyRequest, status: number, body: string): FastifyReply {
  const message = messageIn(body) ?? `The backend refused the request with status ${status}.`;
  const code = status === 413 ? 'context_too_long' : 'invalid_request';
  const envelope = toEnvelope(new HearthError(code, message), request.id).body;
  envelope.error.source = 'backend';
  return reply.status(status).send(envelope);
}

function messageIn(body: string): string | undefined {
  try {
    const parsed = JSON.parse(body) as {
      error?: { message?: unknown } | string;
      message?: unknown;
      detail?: unknown;
    };
    const candidates = [
      typeof parsed.error === 'string' ? parsed.error : parsed.error?.message,
      parsed.message,
      parsed.detail,
    ];
    return candidates.find((one): one is string => typeof one === 'string');
  } catch {
    // Not JSON: nothing of it is fit for a client.
    return undefined;
  }
}
