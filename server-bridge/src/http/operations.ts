/**
 * Live operations over HTTP, for the public API and the control socket alike: drain and resume a backend, swap a model.
 *
 * What takes long answers with server-sent events of its progress. A client that leaves only stops watching: the swap
 * goes on, and the drain stays in force. What fails before the first event is an ordinary error reply.
 */
import { Readable } from 'node:stream';
import {
  HearthError,
  operationTarget,
  parseBody,
  swapRequest,
  toEnvelope,
  type DrainProgress,
  type ModelEntry,
  type ResumeReply,
  type SwapProgress,
} from '@hearth/protocol';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CLIENT_LIMITS, cutIfStuck, STREAM_HEADERS, whenLeft } from './client.ts';

/** What the bridge can be told to do while it runs. Unknown ids are HearthError `not_found`, naming the known ones. */
export interface Operations {
  /** The status's models. */
  models(): ModelEntry[];
  /** Takes nothing new there; yields how many still run, until none does. The signal ends the watching only. */
  drain(backend: string, signal: AbortSignal): AsyncIterable<DrainProgress>;
  /** Undoes a drain. */
  resume(backend: string): void;
  /** Throws HearthError `busy` while another swap is at work there; once begun it goes on, watched or not. */
  swap(model: string, to: string): AsyncIterable<SwapProgress>;
}

export interface OperationsParts {
  operations: Operations;
  /** Rejects with the HearthError for who may not do this. */
  authorize: (request: FastifyRequest) => Promise<void>;
}

/** Milliseconds of silence after which a comment is sent, so that nothing between takes the stream for dead. */
const COMMENT_MS = 15_000;

type Target = { Params: { id: string } };

export function installOperations(app: FastifyInstance, { operations, authorize }: OperationsParts): void {
  const target = async (request: FastifyRequest<Target>): Promise<string> => {
    refuseOtherOrigins(request);
    await authorize(request);
    return parseBody(operationTarget, request.params).id;
  };

  app.post<Target>('/hearth/v1/backends/:id/drain', async (request, reply) => {
    const id = await target(request);
    return await progress(request, reply, 'drain', (signal) => operations.drain(id, signal));
  });

  app.post<Target>('/hearth/v1/backends/:id/resume', async (request): Promise<ResumeReply> => {
    const id = await target(request);
    operations.resume(id);
    return { id, resumed: true };
  });

  app.post<Target>('/hearth/v1/models/:id/swap', async (request, reply) => {
    const id = await target(request);
    const { to } = parseBody(swapRequest, request.body);
    const known = operations.models().map((model) => model.id);
    if (!known.includes(id))
      throw new HearthError('not_found', `There is no model "${id}" here. Known: ${known.join(', ')}.`);
    return await progress(request, reply, 'swap', () => operations.swap(id, to));
  });
}

/**
 * A bridge without keys would else do what any web page in a browser of this machine asks: such a request needs no
 * leave of the browser's, only its answer does. The admin page comes from the bridge itself.
 */
function refuseOtherOrigins({ headers }: FastifyRequest): void {
  const { origin, host } = headers;
  if (origin === undefined) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new HearthError('forbidden', 'Operations are not for web pages of other origins.');
}

async function progress(
  request: FastifyRequest,
  reply: FastifyReply,
  event: 'drain' | 'swap',
  begin: (signal: AbortSignal) => AsyncIterable<unknown>,
): Promise<FastifyReply> {
  const left = new AbortController();
  whenLeft(reply, () => left.abort());
  const iterator = begin(left.signal)[Symbol.asyncIterator]();
  const first = await iterator.next();
  // There is a comment every 15 s: who gets none of them doesn't read.
  cutIfStuck({ reply, limits: CLIENT_LIMITS, onSlow: () => {} });
  return reply
    .headers(STREAM_HEADERS)
    .send(Readable.from(eventsOf(event, first, iterator, left.signal, request.id)));
}

async function* eventsOf(
  event: string,
  first: IteratorResult<unknown>,
  iterator: AsyncIterator<unknown>,
  left: AbortSignal,
  requestId: string,
): AsyncGenerator<string> {
  try {
    let turn = first;
    while (turn.done !== true) {
      yield `event: ${event}\ndata: ${JSON.stringify(turn.value)}\n\n`;
      const next = iterator.next();
      while (await isQuiet(next, left)) {
        if (left.aborted) return;
        yield ': still at it\n\n';
      }
      turn = await next;
    }
  } catch (error) {
    if (!left.aborted) yield `event: error\ndata: ${JSON.stringify(toEnvelope(error, requestId).body)}\n\n`;
  } finally {
    // Not awaited: a generator that waits for something ends only when that has come.
    iterator.return?.()?.catch(() => {});
  }
}

/** False when it has settled; true when nothing came for long, or the client has left. */
async function isQuiet(next: Promise<unknown>, left: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(true), COMMENT_MS);
  const leave = () => resolve(true);
  left.addEventListener('abort', leave);
  if (left.aborted) leave();
  void next.then(
    () => resolve(false),
    () => resolve(false),
  );
  return await promise.finally(() => {
    clearTimeout(timer);
    left.removeEventListener('abort', leave);
  });
}
