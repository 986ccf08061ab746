/** A model server that misbehaves on demand: for faults and speed only, beside the tests with the real engine. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** One request as the backend saw it. `closed` resolves when its connection goes, and says whether the reply was whole. */
interface Seen {
  path: string;
  body: Record<string, unknown>;
  closed: Promise<'finished' | 'aborted'>;
}

export type Behaviour = (response: ServerResponse, seen: Seen) => Promise<void> | void;

export interface FakeBackend extends AsyncDisposable {
  url: string;
  /** People's requests; the bridge's own canaries are in `canaries`. */
  seen: Seen[];
  canaries: Seen[];
  /** What the next requests get, until set again. */
  behave: (behaviour: Behaviour) => void;
  /** What the next canaries get; at first a sound answer. */
  proveBy: (behaviour: Behaviour) => void;
  /** What GET requests get by their path; at first 200 for all of them. */
  get: (answer: (path: string, response: ServerResponse) => void) => void;
}

/** Starts one, on a free loopback port if none is named. It is healthy and sound whatever the behaviour. */
export async function startFakeBackend(behaviour: Behaviour = says('hello'), port = 0): Promise<FakeBackend> {
  let current = behaviour;
  let canary: Behaviour = says('Math.min(', 'Math.max(value, low), high);');
  let onGet = (path: string, response: ServerResponse): void => {
    response.statusCode = path === '/metrics' ? 404 : 200;
    response.end('{"object":"list","data":[{"id":"m"}]}');
  };
  const seen: Seen[] = [];
  const canaries: Seen[] = [];
  const server = createServer((request, response) => {
    if (request.method === 'GET') onGet(request.url ?? '', response);
    else if (request.url === '/tokenize') void countTokens(request, response);
    else void answer(request, response);
  });
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const one: Seen = {
      path: request.url ?? '',
      body: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>,
      closed: once(response, 'close').then(() => (response.writableFinished ? 'finished' : 'aborted')),
    };
    const isCanary = one.body.user === 'hearth-canary';
    (isCanary ? canaries : seen).push(one);
    await (isCanary ? canary : current)(response, one);
  };
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    canaries,
    behave: (next) => {
      current = next;
    },
    proveBy: (next) => {
      canary = next;
    },
    get: (next) => {
      onGet = next;
    },
    /** Twice is fine, for tests whose fault is that it goes away. */
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** As vLLM does it; its tokens are two bytes each. */
async function countTokens(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { prompt = '' } = JSON.parse(await text(request)) as { prompt?: string };
  response.end(JSON.stringify({ count: Math.ceil(Buffer.byteLength(prompt) / 2) }));
}

/** One event of a stream, in the shape that the path asks for. */
function event(path: string, text: string, finish: string | null = null): string {
  const choice = path.includes('chat')
    ? { index: 0, delta: { content: text }, finish_reason: finish }
    : { index: 0, text, finish_reason: finish };
  return `data: ${JSON.stringify({ id: 'fake-1', object: 'chunk', model: 'fake', choices: [choice] })}\n\n`;
}

export function startStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
}

/** Answers with these pieces, whole and properly ended. */
export function says(...pieces: string[]): Behaviour {
  return (response, { path }) => {
    startStream(response);
    for (const piece of pieces) response.write(event(path, piece));
    response.write(event(path, '', 'stop'));
    response.end('data: [DONE]\n\n');
  };
}

/** Answers with these pieces and then says nothing more, holding the connection. */
export function saysThenHangs(...pieces: string[]): Behaviour {
  return (response, { path }) => {
    startStream(response);
    for (const piece of pieces) response.write(event(path, piece));
  };
}

/** Answers with these pieces and then drops the connection. */
export function saysThenDies(...pieces: string[]): Behaviour {
  return (response, { path }) => {
    startStream(response);
    for (const piece of pieces) response.write(event(path, piece));
    setImmediate(() => response.socket?.destroy());
  };
}

export function answersStatus(status: number, message = 'no'): Behaviour {
  return (response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message } }));
  };
}

/** Answers so after a time. */
export function after(ms: number, behaviour: Behaviour): Behaviour {
  return async (response, seen) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    await behaviour(response, seen);
  };
}

/** Takes the request and never answers. */
export const hangs: Behaviour = () => undefined;
