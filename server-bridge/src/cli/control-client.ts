/** The control socket from the other end: what the commands ask of a running bridge. */
import {
  bridgeStatus,
  errorEnvelope,
  resumeReply,
  type BridgeStatus,
  type ErrorEnvelope,
} from '@hearth/protocol';
import { Client, type Dispatcher } from 'undici';
import type { z } from 'zod';
import { controlSocketPath } from '../control-socket.ts';
import { CommandFailed, NotRunning } from './failure.ts';

export class ControlClient implements AsyncDisposable {
  readonly #path: string;
  readonly #http: Client;

  constructor(stateDir: string) {
    this.#path = controlSocketPath(stateDir);
    // No body timeout: a drain can be quiet for long.
    this.#http = new Client('http://hearth-bridge', { socketPath: this.#path, bodyTimeout: 0 });
  }

  /** @throws NotRunning, CommandFailed, as all of these */
  async status(): Promise<BridgeStatus> {
    const reply = await this.#ask('GET', '/hearth/v1/status');
    return bridgeStatus.parse(await reply.body.json());
  }

  async resume(backend: string): Promise<void> {
    const reply = await this.#ask('POST', `/hearth/v1/backends/${encodeURIComponent(backend)}/resume`);
    resumeReply.parse(await reply.body.json());
  }

  /** The operation's progress until it ends, or until the signal fires, which ends the watching and nothing else. */
  async *progress<Schema extends z.ZodType>(
    path: string,
    body: unknown,
    schema: Schema,
    signal: AbortSignal,
  ): AsyncGenerator<z.infer<Schema>> {
    try {
      const reply = await this.#ask('POST', path, body, signal);
      for await (const { event, data } of eventsIn(reply.body)) {
        if (event === 'error') throw new CommandFailed(errorEnvelope.parse(data).error.message);
        yield schema.parse(data);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#http.destroy();
  }

  async #ask(
    method: 'GET' | 'POST',
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const asked = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const reply = await this.#http
      .request({ method, path, headers, ...asked, signal: signal ?? null })
      .catch((error: unknown) => {
        throw this.#explain(error);
      });
    if (reply.statusCode === 200) return reply;
    const refused: ErrorEnvelope = errorEnvelope.parse(await reply.body.json());
    throw new CommandFailed(refused.error.message);
  }

  #explain(error: unknown): unknown {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR')
      return new NotRunning(
        `the bridge is not running: nobody answers on ${this.#path}. Start it with "hearth-bridge serve", ` +
          'or name the configuration of the running one with --config.',
      );
    if (code === 'EACCES' || code === 'EPERM')
      return new CommandFailed(`${this.#path} is another user's: run this as the user that runs the bridge.`);
    if (code === 'EINVAL' || code === 'ENAMETOOLONG')
      return new CommandFailed(`${this.#path} is too long for a socket: choose a shorter state_dir.`);
    return error;
  }
}

async function* eventsIn(
  body: Dispatcher.ResponseData['body'],
): AsyncGenerator<{ event: string; data: unknown }> {
  let text = '';
  try {
    for await (const chunk of body.setEncoding('utf8')) {
      text += String(chunk);
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const event = /^event: (.*)$/m.exec(block)?.[1];
        const data = /^data: (.*)$/m.exec(block)?.[1];
        // What has neither is a comment.
        if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) as unknown };
      }
    }
  } catch (error) {
    // A bridge that ends closes its sockets: for a watcher that is the end of the stream.
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'UND_ERR_SOCKET' && code !== 'ECONNRESET') throw error;
  }
}
