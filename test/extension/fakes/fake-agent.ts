/** A client agent on a Unix socket in a folder of its own: its state is set by the test, and its events follow at once. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HearthError, toEnvelope } from '@hearth/protocol';
import type { AgentState, AgentStatus, ErrorCode, Problem } from '@hearth/protocol';

export class FakeAgent implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearth-agent-'));
  readonly socketPath = join(this.folder, 'agent.sock');
  /** Method and path of each request. */
  readonly calls: string[] = [];
  /** Headers of the last request. */
  headers: IncomingMessage['headers'] = {};
  bridgeUrl = 'http://127.0.0.1:9';
  /** What the bridge would give now. The agent keeps what it gave once, unless it is asked for a fresh one. */
  token = 'token-1';
  #kept: string | undefined;
  tokenSeconds = 900;
  /** Set: what is said instead of a token. */
  refusal: ErrorCode | undefined;
  /** Part of the status from its next change on. */
  problem: Problem | undefined;
  /** Answers nothing while set. */
  silent = false;
  #state: AgentState = 'disconnected';
  #server: Server = this.#create();
  readonly #streams = new Set<ServerResponse>();

  async start(): Promise<this> {
    this.#server.listen(this.socketPath);
    await once(this.#server, 'listening');
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
    rmSync(this.folder, { recursive: true, force: true });
  }

  get state(): AgentState {
    return this.#state;
  }

  set state(state: AgentState) {
    this.#state = state;
    for (const stream of this.#streams) stream.write(`data: ${JSON.stringify(this.status())}\n\n`);
  }

  status(): AgentStatus {
    const up = this.#state === 'connected' || this.#state === 'degraded';
    return {
      state: this.#state,
      since: new Date().toISOString(),
      server: 'vpn.example.org:51820',
      address: up ? '10.77.0.2' : null,
      handshake_age_s: up ? 3 : null,
      rx_bytes: 0,
      tx_bytes: 0,
      rtt_ms: up ? 12 : null,
      bridge_url: this.bridgeUrl,
      ...(this.problem === undefined ? {} : { problem: this.problem }),
    };
  }

  #create(): Server {
    return createServer((request, response) => this.#answer(request, response));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.calls.push(`${request.method} ${request.url}`);
    this.headers = request.headers;
    if (this.silent) return;
    switch (request.url ?? '') {
      case '/v1/status':
        return json(response, this.status());
      case '/v1/events':
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`: hello\n\ndata: ${JSON.stringify(this.status())}\n\n`);
        this.#streams.add(response);
        response.once('close', () => this.#streams.delete(response));
        return;
      case '/v1/connect':
        if (this.#state === 'unenrolled') return refuse(response, 'not_enrolled', 'There is no profile.');
        this.state = 'connected';
        return json(response, this.status());
      case '/v1/disconnect':
        this.state = 'disconnected';
        return json(response, this.status());
      case '/v1/token':
        if (this.refusal !== undefined) return refuse(response, this.refusal, 'No token.');
        if (request.headers['cache-control'] === 'no-cache') this.#kept = undefined;
        this.#kept ??= this.token;
        return json(response, {
          token: this.#kept,
          expires_at: new Date(Date.now() + this.tokenSeconds * 1_000).toISOString(),
          bridge_url: this.bridgeUrl,
        });
      default:
        response.writeHead(404).end();
    }
  }
}

function refuse(response: ServerResponse, code: ErrorCode, message: string): void {
  const { status, body } = toEnvelope(new HearthError(code, message), 'test');
  json(response, body, status);
}

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
