/**
 * One request to a model server, with deadlines, every way to fail named, and nothing given out before the first token.
 *
 * Callbacks, not streams: a token costs a parse and a write, and no promise.
 */
import { Agent, type Dispatcher } from 'undici';
import {
  DocumentReply,
  StreamReply,
  type DocumentListener,
  type End,
  type Failure,
  type Listener,
  type Reply,
} from './replies.ts';

/** All in milliseconds. */
export interface Timeouts {
  connect: number;
  /** From the request to its first token. */
  first_token: number;
  /** Between two tokens. */
  stall: number;
}

/** A request under way. */
export interface Running {
  /** Past its first token, and not held up by whoever reads it. */
  readonly decoding: boolean;
  /** Held up by whoever reads it. */
  readonly paused: boolean;
  /** Stops reading, and with that, by the connection's own means, the backend. */
  pause: () => void;
  resume: () => void;
  /** Ends it at the backend too. Nothing is called back any more. After the end it does nothing. */
  abort: () => void;
}

/** Bytes of a refusal that are passed on: it has a few lines. */
const REFUSAL_LIMIT = 256 * 1024;
/** A batch of embeddings is worked out whole before its first byte. */
const DOCUMENT_MS = 60_000;
/** For the connection to end by itself after the stream's own end, so that it can be used again. */
const AFTERMATH_MS = 1_000;

/** Sends requests to one model server. Holds its connections until closed; any number of requests at once. */
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
      // One request a connection at a time: an aborted one takes its connection with it, and nobody else's.
      pipelining: 1,
    });
  }

  /** Asks for an event stream of so many choices. Nothing is called back before this has returned. */
  stream(url: string, body: string, listener: Listener, choices = 1): Running {
    return new Exchange(this.#agent, this.#timeouts, url, body, new StreamReply(listener, choices));
  }

  /** Asks for one document; `events` isn't called, `document` is, before the end. */
  document(url: string, body: string, listener: DocumentListener): Running {
    const patient = { ...this.#timeouts, first_token: Math.max(this.#timeouts.first_token, DOCUMENT_MS) };
    return new Exchange(this.#agent, patient, url, body, new DocumentReply(listener));
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

class Exchange implements Running, Dispatcher.DispatchHandler {
  readonly #reply: Reply;
  readonly #timeouts: Timeouts;
  readonly #timer: NodeJS.Timeout;
  #stall: NodeJS.Timeout | undefined;
  #aftermath: NodeJS.Timeout | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #status = 0;
  #refusal: Buffer[] = [];
  #refusalBytes = 0;
  #paused = false;
  #over = false;

  constructor(agent: Agent, timeouts: Timeouts, url: string, body: string, reply: Reply) {
    this.#reply = reply;
    this.#timeouts = timeouts;
    this.#timer = setTimeout(
      () => this.#silent('no first token within', timeouts.first_token),
      timeouts.first_token,
    );
    const { origin, pathname, search } = new URL(url);
    const headers = { 'content-type': 'application/json', accept: reply.accept };
    // Not in this call, so that whoever asked has what it needs to be called back.
    queueMicrotask(() => {
      if (this.#over) return;
      agent.dispatch({ origin, path: pathname + search, method: 'POST', headers, body }, this);
    });
  }

  get paused(): boolean {
    return this.#paused;
  }

  get decoding(): boolean {
    return this.#reply.begun && !this.#paused;
  }

  pause(): void {
    this.#paused = true;
    this.#controller?.pause();
    clearTimeout(this.#stall);
    this.#stall = undefined;
  }

  resume(): void {
    if (this.#over) return;
    this.#paused = false;
    this.#controller?.resume();
    this.#alive();
  }

  abort(): void {
    // After its end the connection is somebody else's.
    if (this.#over) return;
    this.#stop();
    this.#cut();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) controller.abort(new Error('no longer wanted'));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
    // Its body is of no use, and may be as long in coming as anything else there.
    const end = status === 200 ? undefined : refusal(status, []);
    if (end?.kind === 'failed') this.#finish(end, { mayReuse: true });
  }

  onResponseData(_controller: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.#over) return;
    if (this.#status !== 200) {
      this.#refusalBytes += bytes.length;
      if (this.#refusalBytes <= REFUSAL_LIMIT) this.#refusal.push(bytes);
      else this.#finish(refusal(this.#status, this.#refusal));
      return;
    }
    const end = this.#reply.take(bytes);
    // Whom the listener calls back may have aborted it.
    if (this.#over) return;
    if (end === 'moved') this.#alive();
    else if (end !== 'nothing') this.#finish(end);
  }

  onResponseEnd(): void {
    clearTimeout(this.#aftermath);
    this.#controller = undefined;
    if (this.#over) return;
    this.#finish(this.#status === 200 ? this.#reply.close() : refusal(this.#status, this.#refusal));
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    clearTimeout(this.#aftermath);
    this.#controller = undefined;
    this.#finish({ kind: 'failed', ...explain(error) });
  }

  /** The answer got on. The clock runs only while we wait for the backend, never while a slow client makes us wait. */
  #alive(): void {
    if (!this.#reply.begun || this.#paused) return;
    clearTimeout(this.#timer);
    const { stall } = this.#timeouts;
    if (this.#stall === undefined) this.#stall = setTimeout(() => this.#silent('no token for', stall), stall);
    else this.#stall.refresh();
  }

  #silent(what: string, ms: number): void {
    this.#finish({ kind: 'failed', cause: 'timeout', message: `${what} ${ms / 1_000} s` });
  }

  #finish(end: End, { mayReuse = end.kind === 'done' } = {}): void {
    if (this.#over) return;
    this.#stop();
    if (!mayReuse) this.#cut();
    else if (this.#controller !== undefined)
      this.#aftermath = setTimeout(() => this.#cut(), AFTERMATH_MS).unref();
    // Whatever became of the connection after its last word, the answer is whole.
    this.#reply.end(end.kind === 'failed' && this.#reply.isWhole ? { kind: 'done' } : end);
  }

  #stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#stall);
  }

  /** Takes the connection down, and with it the work: the only cancel that every model server knows. */
  #cut(): void {
    this.#controller?.abort(new Error('no longer wanted'));
  }
}

function refusal(status: number, parts: Buffer[]): End {
  if (status >= 400 && status < 500 && status !== 429 && status !== 408)
    return { kind: 'refused', status, body: Buffer.concat(parts).toString() };
  return { kind: 'failed', cause: 'faulty', message: `the backend answered ${status}` };
}

function explain(error: Error): Failure {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return { cause: 'gone', message: 'the connection timed out' };
  if (code === 'ECONNREFUSED') return { cause: 'gone', message: 'the connection was refused' };
  return {
    cause: 'faulty',
    message: code === undefined ? `the connection broke: ${message}` : `the connection broke (${code})`,
  };
}
