/** Asks every backend now and then whether it is there, by the cheapest endpoint its engine has. */
import type { Logger } from 'pino';
import { Agent, request } from 'undici';
import type { Backend } from './backend.ts';
import type { Fleet } from './fleet.ts';

const HEALTH_PATH = {
  vllm: '/health',
  llamacpp: '/health',
  trtllm: '/health',
  openai: '/v1/models',
  embedded: '/health',
} as const;

export interface ProberOptions {
  log: Logger;
  /** Milliseconds between two rounds. */
  interval: number;
  /** Milliseconds for one answer. */
  timeout: number;
}

export class Prober {
  readonly #fleet: Fleet;
  readonly #options: ProberOptions;
  readonly #agent = new Agent({ connections: 1, keepAliveTimeout: 1 });
  readonly #stop = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(fleet: Fleet, options: ProberOptions) {
    this.#fleet = fleet;
    this.#options = options;
  }

  /** The first round, awaited so that the bridge starts with knowledge; the others follow on a timer. */
  async start(): Promise<void> {
    await this.#round();
    if (this.#stop.signal.aborted) return;
    this.#timer = setTimeout(() => void this.start(), this.#options.interval);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    clearTimeout(this.#timer);
    await this.#agent.destroy();
  }

  async #round(): Promise<void> {
    await Promise.all(this.#fleet.backends.map((backend) => this.#probe(backend)));
  }

  async #probe(backend: Backend): Promise<void> {
    const { server } = backend;
    // Without a server there is an engine process that is starting or has failed; it reports for itself.
    if (server === undefined) return;
    const before = backend.health.state;
    try {
      const response = await request(server.url + HEALTH_PATH[backend.config.engine], {
        dispatcher: this.#agent,
        signal: AbortSignal.any([this.#stop.signal, AbortSignal.timeout(this.#options.timeout)]),
      });
      await response.body.dump();
      if (backend.server !== server) return;
      backend.learn(
        response.statusCode === 200
          ? { kind: 'ok' }
          : { kind: 'failed', reason: `its health check answers ${response.statusCode}` },
      );
    } catch (error) {
      if (this.#stop.signal.aborted || backend.server !== server) return;
      const { code, name } = error as NodeJS.ErrnoException;
      backend.learn(
        code === 'ECONNREFUSED'
          ? { kind: 'gone', reason: 'the connection was refused' }
          : {
              kind: 'failed',
              reason:
                name === 'TimeoutError'
                  ? 'its health check timed out'
                  : `its health check failed (${code ?? name})`,
            },
      );
    }
    const { state, reason } = backend.health;
    if (state !== before)
      this.#options.log.info({ backend: backend.config.id, state, reason }, 'backend state');
  }
}
