/** One streamed request to a model server: opened with deadlines, first token first, every way to fail named. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { Agent, request, type Dispatcher } from 'undici';
import { carriesToken, isFinished, type Chunk } from './chunks.ts';

export interface Timeouts {
  /** All in milliseconds. */
  connect: number;
  /** From the request to its first token. */
  first_token: number;
  /** Between two tokens. */
  stall: number;
}

export interface Call {
  url: string;
  body: unknown;
  /** The client's: aborting it aborts the work at the backend. */
  signal: AbortSignal;
}

/** How opening went. Only `stream` has produced anything; after the others another backend may be asked. */
export type Opened =
  | { kind: 'stream'; chunks: AsyncGenerator<Chunk, StreamEnd> }
  /** The backend says that the request itself is wrong: passed on as it is, never retried. */
  | { kind: 'refused'; status: number; body: string }
  | { kind: 'failed'; cause: FailureCause; message: string }
  | { kind: 'cancelled' };

/** `gone`: can't be reached. `timeout`: silent for too long. `faulty`: broke off, or answered with something else. */
type FailureCause = 'gone' | 'timeout' | 'faulty';

/** How a stream ended after its first token. */
export type StreamEnd =
  { kind: 'done' } | { kind: 'lost'; cause: FailureCause; message: string } | { kind: 'cancelled' };

class Deadline extends Error {}

/** Sends requests to one backend. Holds its connections until closed; any number of calls at once. */
export class Upstream {
  readonly #timeouts: Timeouts;
  readonly #agent: Agent;

  constructor(timeouts: Timeouts) {
    this.#timeouts = timeouts;
    // undici's own 300 s limits would cut a long prefill; the deadlines here are ours.
    this.#agent = new Agent({
      connect: { timeout: timeouts.connect },
      headersTimeout: 0,
      bodyTimeout: 0,
      connections: null,
    });
  }

  /** Resolves when the first token has arrived, or it is clear that none will. Never rejects. */
  async open({ url, body, signal }: Call): Promise<Opened> {
    const abort = new AbortController();
    const onCancel = () => abort.abort(signal.reason);
    signal.addEventListener('abort', onCancel, { once: true });
    const release = () => signal.removeEventListener('abort', onCancel);

    const seconds = this.#timeouts.first_token / 1_000;
    const timer = setTimeout(
      () => abort.abort(new Deadline(`no first token within ${seconds} s`)),
      this.#timeouts.first_token,
    );
    try {
      if (signal.aborted) return { kind: 'cancelled' };
      const response = await request(url, {
        method: 'POST',
        dispatcher: this.#agent,
        signal: abort.signal,
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify(body),
      });
      if (response.statusCode !== 200) {
        release();
        return await refusal(response);
      }
      const events = parseChunks(response.body);
      const held = await untilFirstToken(events);
      if (held.kind === 'faulty') {
        abort.abort();
        release();
        return { kind: 'failed', cause: 'faulty', message: held.message };
      }
      return { kind: 'stream', chunks: this.#stream(held.chunks, events, abort, release) };
    } catch (error) {
      release();
      if (signal.aborted) return { kind: 'cancelled' };
      const failure = explain(abort.signal.aborted ? abort.signal.reason : error);
      abort.abort();
      return { kind: 'failed', ...failure };
    } finally {
      clearTimeout(timer);
    }
  }

  async *#stream(
    held: Chunk[],
    events: AsyncIterator<Chunk | 'done'>,
    abort: AbortController,
    release: () => void,
  ): AsyncGenerator<Chunk, StreamEnd> {
    let finished = false;
    const stall = this.#timeouts.stall;
    try {
      for (const chunk of held) {
        yield chunk;
        finished ||= isFinished(chunk);
      }
      for (;;) {
        // The clock runs only while we wait for the backend, never while a slow client makes us wait.
        const timer = setTimeout(() => abort.abort(new Deadline(`no token for ${stall / 1_000} s`)), stall);
        const next = await events.next().finally(() => clearTimeout(timer));
        if (next.done === true) {
          if (finished) return { kind: 'done' };
          return {
            kind: 'lost',
            cause: 'faulty',
            message: 'the backend closed the stream before it was complete',
          };
        }
        if (next.value === 'done') return { kind: 'done' };
        const fault = faultIn(next.value);
        if (fault !== undefined) return { kind: 'lost', cause: 'faulty', message: fault };
        finished ||= isFinished(next.value);
        yield next.value;
      }
    } catch (error) {
      if (!abort.signal.aborted) return { kind: 'lost', ...explain(error) };
      if (abort.signal.reason instanceof Deadline) return { kind: 'lost', ...explain(abort.signal.reason) };
      return { kind: 'cancelled' };
    } finally {
      release();
      // Whoever stops reading, for whatever reason, frees the GPU.
      abort.abort();
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

async function refusal(response: Dispatcher.ResponseData): Promise<Opened> {
  const body = await response.body.text();
  const status = response.statusCode;
  if (status >= 400 && status < 500 && status !== 429 && status !== 408)
    return { kind: 'refused', status, body };
  return { kind: 'failed', cause: 'faulty', message: `the backend answered ${status}` };
}

async function* parseChunks(body: Dispatcher.ResponseData['body']): AsyncGenerator<Chunk | 'done'> {
  const events = ReadableStream.from(body as AsyncIterable<Uint8Array>)
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  for await (const event of events) {
    if (event.data === '[DONE]') {
      yield 'done';
      return;
    }
    yield JSON.parse(event.data) as Chunk;
  }
}

/** Role announcements and empty deltas come before any work is done, so they don't count as the first token. */
async function untilFirstToken(
  events: AsyncIterator<Chunk | 'done'>,
): Promise<{ kind: 'held'; chunks: Chunk[] } | { kind: 'faulty'; message: string }> {
  const chunks: Chunk[] = [];
  for (;;) {
    const next = await events.next();
    if (next.done === true)
      return { kind: 'faulty', message: 'the backend closed the stream before its first token' };
    if (next.value === 'done') {
      if (chunks.length === 0) return { kind: 'faulty', message: 'the backend sent an empty stream' };
      return { kind: 'held', chunks };
    }
    const fault = faultIn(next.value);
    if (fault !== undefined) return { kind: 'faulty', message: fault };
    chunks.push(next.value);
    if (carriesToken(next.value) || isFinished(next.value)) return { kind: 'held', chunks };
  }
}

function faultIn(chunk: Chunk): string | undefined {
  if (chunk.error === undefined || chunk.error === null) return undefined;
  return typeof chunk.error === 'string'
    ? chunk.error
    : (chunk.error.message ?? 'the backend reported an error');
}

function explain(error: unknown): { cause: FailureCause; message: string } {
  if (error instanceof Deadline) return { cause: 'timeout', message: error.message };
  const { code, message } = error as NodeJS.ErrnoException;
  if (error instanceof SyntaxError) return { cause: 'faulty', message: 'the backend sent a malformed event' };
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return { cause: 'gone', message: 'the connection timed out' };
  if (code === 'ECONNREFUSED') return { cause: 'gone', message: 'the connection was refused' };
  return {
    cause: 'faulty',
    message: code === undefined ? `the connection broke: ${message}` : `the connection broke (${code})`,
  };
}
