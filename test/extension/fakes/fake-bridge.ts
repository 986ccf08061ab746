/** A bridge on an ephemeral port that speaks the contract's HTTP and does what a test tells it to, faults included. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HEADER, HearthError, toEnvelope } from '@hearth/protocol';
import type { ErrorCode, ModelEntry } from '@hearth/protocol';

/** `silent` never answers; `cut` and `lost` break off after the first piece, the second with the error event. */
export type Behaviour =
  | { kind: 'answer'; text: string; fallback?: boolean; pieceMs?: number }
  | { kind: 'refuse'; code: ErrorCode; message: string }
  | { kind: 'silent' }
  | { kind: 'cut' }
  | { kind: 'lost' };

export type Seen = { body: Record<string, unknown>; authorization: string | undefined; aborted: boolean };

export class FakeBridge implements AsyncDisposable {
  /** What completions get. */
  behaviour: Behaviour = { kind: 'answer', text: '' };
  /** The only key that is let in; undefined lets everyone in. */
  key: string | undefined;
  /** The list it gives; one that says why not is refused. */
  models: ModelEntry[] | { code: ErrorCode; message: string } = [model('coder'), model('small')];
  /** Headers of the last request of any kind. */
  headers: IncomingMessage['headers'] = {};
  /** Completion requests, in order. */
  readonly seen: Seen[] = [];
  #server: Server;
  #port = 0;

  constructor() {
    this.#server = this.#create();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens; after `stop`, on the same port again. */
  async start(): Promise<this> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    this.#server = this.#create();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.stop();
  }

  #create(): Server {
    return createServer((request, response) => {
      void this.#answer(request, response);
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.headers = request.headers;
    const { authorization } = request.headers;
    if (this.key !== undefined && authorization !== `Bearer ${this.key}`)
      return refuse(response, 'invalid_api_key', 'A valid API key is needed.');
    if (request.url === '/v1/models')
      return Array.isArray(this.models)
        ? json(response, 200, { object: 'list', data: this.models })
        : refuse(response, this.models.code, this.models.message);
    if (request.url !== '/v1/completions') return refuse(response, 'not_found', 'There is nothing here.');
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const seen: Seen = { body: JSON.parse(text) as Record<string, unknown>, authorization, aborted: false };
    this.seen.push(seen);
    response.once('close', () => (seen.aborted = !response.writableFinished));
    await this.#complete(response, this.behaviour);
  }

  async #complete(response: ServerResponse, behaviour: Behaviour): Promise<void> {
    if (behaviour.kind === 'silent') return;
    if (behaviour.kind === 'refuse') return refuse(response, behaviour.code, behaviour.message);
    const fallback = behaviour.kind === 'answer' && behaviour.fallback === true;
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      [HEADER.requestId]: 'test',
      [HEADER.model]: 'coder',
      [HEADER.backend]: fallback ? 'light-amd' : 'coder-rtx',
      [HEADER.gpu]: fallback ? 'rx9070xt' : 'rtx6000',
      [HEADER.fallback]: fallback ? '1' : '0',
    });
    if (behaviour.kind !== 'answer') {
      event(response, choice('fir', null));
      if (behaviour.kind === 'lost')
        event(response, toEnvelope(new HearthError('backend_lost', 'The backend went away.'), 'test').body);
      response.end();
      return;
    }
    for (const piece of behaviour.text.match(/[^]{1,7}/g) ?? []) {
      event(response, choice(piece, null));
      await new Promise((resolve) => setTimeout(resolve, behaviour.pieceMs ?? 0));
    }
    event(response, choice('', 'stop'));
    response.end('data: [DONE]\n\n');
  }
}

function event(response: ServerResponse, data: unknown): void {
  response.write(`data: ${JSON.stringify(data)}\n\n`);
}

function choice(text: string, finish: string | null): unknown {
  return {
    id: 'cmpl-1',
    object: 'text_completion',
    created: 0,
    model: 'coder',
    choices: [{ index: 0, text, logprobs: null, finish_reason: finish }],
  };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, code: ErrorCode, message: string): void {
  const { status, body } = toEnvelope(new HearthError(code, message), 'test');
  json(response, status, body);
}

export function model(id: string, state: ModelEntry['hearth']['state'] = 'ready'): ModelEntry {
  return {
    id,
    object: 'model',
    created: 0,
    owned_by: 'hearth',
    hearth: {
      title: id,
      roles: ['completion'],
      context: 8_192,
      fim: 'qwen',
      state,
      served_by: state === 'down' ? null : 'coder-rtx',
    },
  };
}
