/** The client agent's local API over its Unix socket or named pipe. Every call ends within its deadline. */
import { request, type IncomingMessage } from 'node:http';
import { agentStatus, agentToken, errorEnvelope } from '@hearth/protocol';
import type { AgentStatus, AgentToken } from '@hearth/protocol';
import { z } from 'zod';
import type { Fault } from './fault.ts';
import { sseParser } from './sse.ts';

/** `absent`: nobody listens there. `failed`: somebody does, and it went wrong; a refusal has the agent's code. */
export type AgentReply<T> =
  { kind: 'ok'; value: T } | { kind: 'absent' } | { kind: 'cancelled' } | ({ kind: 'failed' } & Fault);

/** How an event stream came to its end. */
export type EventsEnd = { kind: 'ended' } | { kind: 'absent' } | { kind: 'failed'; message: string };

/** Milliseconds. Connecting waits for a handshake on the agent's side. */
const DEADLINE_MS = { status: 3_000, token: 5_000, connect: 30_000, disconnect: 10_000, events: 5_000 };
/** A stream silent for longer than this is taken for dead; the agent sends a comment every 15 s. */
const SILENCE_MS = 40_000;
const MAX_REPLY = 1_000_000;

const NOBODY = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTSOCK', 'EACCES', 'EPERM']);

export class AgentClient {
  readonly socketPath: string;

  /** `socketPath`: the agent's Unix socket, or on Windows its pipe. */
  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  status(signal: AbortSignal): Promise<AgentReply<AgentStatus>> {
    return this.#call('GET', '/v1/status', agentStatus, DEADLINE_MS.status, signal);
  }

  /** The short-lived token for the bridge, and the bridge's address. `fresh`: not the one that was refused just now. */
  token(signal: AbortSignal, fresh: boolean): Promise<AgentReply<AgentToken>> {
    const headers: Record<string, string> = fresh ? { 'cache-control': 'no-cache' } : {};
    return this.#call('GET', '/v1/token', agentToken, DEADLINE_MS.token, signal, headers);
  }

  /** Brings the tunnel up. The reply's body is not needed: the event stream tells the state. */
  connect(signal: AbortSignal): Promise<AgentReply<unknown>> {
    return this.#call('POST', '/v1/connect', z.unknown(), DEADLINE_MS.connect, signal);
  }

  disconnect(signal: AbortSignal): Promise<AgentReply<unknown>> {
    return this.#call('POST', '/v1/disconnect', z.unknown(), DEADLINE_MS.disconnect, signal);
  }

  /** Follows the agent's status until the stream ends, breaks, falls silent, or `signal` is aborted. */
  events(signal: AbortSignal, onStatus: (status: AgentStatus) => void): Promise<EventsEnd> {
    return new Promise((resolve) => {
      const call = this.#request('GET', '/v1/events', signal);
      const deadline = setTimeout(
        () => call.destroy(new Error('the agent does not answer')),
        DEADLINE_MS.events,
      );
      const end = (how: EventsEnd) => {
        clearTimeout(deadline);
        call.destroy();
        resolve(how);
      };
      call.once('error', (error) => end(signal.aborted ? { kind: 'ended' } : failure(error)));
      call.once('response', (response) => {
        clearTimeout(deadline);
        if (response.statusCode !== 200) {
          response.resume();
          end({ kind: 'failed', message: `the agent answered ${response.statusCode} to /v1/events` });
          return;
        }
        response.setTimeout(SILENCE_MS, () => end({ kind: 'failed', message: 'the agent fell silent' }));
        const parse = sseParser();
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          for (const data of parse(chunk)) {
            const status = parseJson(data, agentStatus);
            if (status === undefined) {
              end({ kind: 'failed', message: 'the agent sent a status this extension does not understand' });
              return;
            }
            onStatus(status);
          }
        });
        response.once('close', () => end({ kind: 'ended' }));
        response.once('error', () => end({ kind: 'ended' }));
      });
      call.end();
    });
  }

  #request(method: string, path: string, signal: AbortSignal, headers: Record<string, string> = {}) {
    return request({
      socketPath: this.socketPath,
      method,
      path,
      signal,
      agent: false,
      headers: { host: 'hearth-agent', accept: 'application/json, text/event-stream', ...headers },
    });
  }

  async #call<T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    deadlineMs: number,
    signal: AbortSignal,
    headers?: Record<string, string>,
  ): Promise<AgentReply<T>> {
    const deadline = AbortSignal.timeout(deadlineMs);
    try {
      const call = this.#request(method, path, AbortSignal.any([signal, deadline]), headers);
      const { status, body } = await readReply(call);
      if (status < 200 || status > 299) return refusal(status, body);
      const value = parseJson(body === '' ? 'null' : body, schema);
      return value === undefined
        ? { kind: 'failed', code: 'agent_unclear', message: `the agent's reply to ${path} is not understood` }
        : { kind: 'ok', value };
    } catch (error) {
      if (signal.aborted) return { kind: 'cancelled' };
      if (deadline.aborted)
        return {
          kind: 'failed',
          code: 'agent_timeout',
          message: `the agent did not answer within ${deadlineMs / 1_000} s`,
        };
      return failure(error);
    }
  }
}

function failure(error: unknown): { kind: 'absent' } | ({ kind: 'failed' } & Fault) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (NOBODY.has(code)) return { kind: 'absent' };
  return {
    kind: 'failed',
    code: 'agent_failed',
    message: error instanceof Error ? error.message : String(error),
  };
}

/** What an error reply says. */
function refusal(status: number, body: string): { kind: 'failed' } & Fault {
  const error = parseJson(body, errorEnvelope)?.error;
  if (error === undefined)
    return { kind: 'failed', code: 'agent_unclear', message: `the agent answered ${status}` };
  return { kind: 'failed', code: error.code ?? 'agent_failed', message: error.message };
}

/** The parsed value, or undefined when the text is no JSON or doesn't fit. */
function parseJson<T>(text: string, schema: z.ZodType<T>): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function readReply(call: ReturnType<typeof request>): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    call.once('error', reject);
    call.once('response', (response: IncomingMessage) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
        if (body.length > MAX_REPLY) call.destroy(new Error("the agent's reply is too long"));
      });
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    call.end();
  });
}
