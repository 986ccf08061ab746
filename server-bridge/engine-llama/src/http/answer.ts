/** Runs one generation for a request: as one reply or as a stream, and stops it when the client is gone. */
import { HearthError, toEnvelope } from '@hearth/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Engine, GenerationEvent, GenerationRequest } from '../generation/engine.ts';
import type { AnswerShape } from './answers.ts';
import { EventStream } from './event-stream.ts';

export interface Answering {
  readonly engine: Engine;
  readonly generation: GenerationRequest;
  readonly shape: AnswerShape;
  readonly stream: boolean;
  readonly includeUsage: boolean;
}

export async function answer(request: FastifyRequest, reply: FastifyReply, task: Answering): Promise<void> {
  const signal = clientGone(reply);
  const events = task.engine.generate(task.generation, { signal });
  try {
    if (task.stream) await answerInPieces(request, reply, task, { events, signal });
    else await reply.send(await answerWhole(task.shape, events));
  } catch (error) {
    if (!signal.aborted) throw error;
    request.log.debug('client gone, generation stopped');
    reply.hijack();
  } finally {
    await events.return(undefined);
  }
}

/** Aborted when the connection closes before the reply is complete. */
export function clientGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new Error('the client closed the connection'));
  });
  return gone.signal;
}

async function answerWhole(shape: AnswerShape, events: AsyncIterable<GenerationEvent>): Promise<object> {
  let text = '';
  for await (const event of events) {
    if (event.kind === 'end') return shape.whole(text, event.reason, event.usage);
    text += event.text;
  }
  throw new Error('the generation ended without saying so');
}

interface Running {
  readonly events: AsyncGenerator<GenerationEvent>;
  readonly signal: AbortSignal;
}

/** Status and headers wait for the first event: until then a failure is an ordinary error reply. */
async function answerInPieces(
  request: FastifyRequest,
  reply: FastifyReply,
  { shape, includeUsage }: Answering,
  { events, signal }: Running,
): Promise<void> {
  const first = await events.next();
  reply.hijack();
  const stream = new EventStream(reply.raw, signal);
  stream.open({ 'x-request-id': request.id });
  try {
    for (const chunk of shape.opening()) await stream.send(chunk);
    for (let next = first; !next.done; next = await events.next()) {
      const event = next.value;
      if (event.kind === 'text') {
        await stream.send(shape.piece(event.text));
        continue;
      }
      await stream.send(shape.closing(event.reason));
      if (includeUsage) await stream.send(shape.usage(event.usage));
    }
    await stream.send('[DONE]');
  } catch (error) {
    if (signal.aborted) throw error;
    if (error instanceof HearthError) request.log.info('answer cut short: %s', error.message);
    else request.log.error({ err: error }, 'generation failed in mid-stream');
    const lost = new HearthError('backend_lost', 'The engine stopped in the middle of the answer.', {
      cause: error,
    });
    await stream.send(toEnvelope(lost, request.id).body);
  }
  stream.end();
}
