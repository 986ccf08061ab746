/** The local API from the other end: what the agent's commands call. */
import { agentStatus, errorEnvelope } from '@hearth/protocol';
import type { AgentStatus } from '@hearth/protocol';
import { Client } from 'undici';
import type { Dispatcher } from 'undici';
import { LOCAL_HOST } from './guard.ts';

export type Reply<T> =
  | { kind: 'ok'; value: T }
  /** Nobody listens on the socket. */
  | { kind: 'not_running' }
  | { kind: 'error'; code: string; message: string };

export class AgentClient implements AsyncDisposable {
  readonly #http: Client;

  constructor(socketPath: string) {
    // No body timeout: a stream of events is quiet while nothing happens.
    this.#http = new Client(`http://${LOCAL_HOST}`, { socketPath, bodyTimeout: 0 });
  }

  status(): Promise<Reply<AgentStatus>> {
    return this.#ask('GET', '/v1/status');
  }

  connect(): Promise<Reply<AgentStatus>> {
    return this.#ask('POST', '/v1/connect');
  }

  disconnect(): Promise<Reply<AgentStatus>> {
    return this.#ask('POST', '/v1/disconnect');
  }

  /** The status now and after each change, until the agent ends, the signal aborts, or the loop is left. */
  async *events(signal?: AbortSignal): AsyncGenerator<AgentStatus> {
    const reply = await this.#http.request({ method: 'GET', path: '/v1/events', signal: signal ?? null });
    let text = '';
    try {
      for await (const chunk of reply.body.setEncoding('utf8')) {
        text += String(chunk);
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) {
          const data = event.split('\n').find((line) => line.startsWith('data: '));
          if (data !== undefined) yield agentStatus.parse(JSON.parse(data.slice('data: '.length)));
        }
      }
    } catch (error) {
      // An agent that ends closes its sockets: for a listener that is the end of the stream.
      if (!hasCode(error, 'UND_ERR_SOCKET', 'ECONNRESET')) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http.destroy();
  }

  async #ask(method: 'GET' | 'POST', path: string): Promise<Reply<AgentStatus>> {
    let reply: Dispatcher.ResponseData;
    try {
      reply = await this.#http.request({ method, path });
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ECONNREFUSED')) return { kind: 'not_running' };
      throw error;
    }
    const body: unknown = await reply.body.json();
    if (reply.statusCode === 200) return { kind: 'ok', value: agentStatus.parse(body) };
    const { error } = errorEnvelope.parse(body);
    return { kind: 'error', code: error.code ?? 'internal', message: error.message };
  }
}

const hasCode = (error: unknown, ...codes: string[]) =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));
