/** Builds the bridge from its configuration: everything is constructed here, in order, and ended in reverse. */
import { randomUUID } from 'node:crypto';
import type { EngineEvent } from '@hearth/engine-llama/events';
import { HEADER, type BridgeConfig } from '@hearth/protocol';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { KeyStore } from './access/key-store.ts';
import { Tokens } from './access/tokens.ts';
import { Backend } from './backends/backend.ts';
import { EmbeddedEngine } from './backends/embedded-engine.ts';
import { Prober } from './backends/prober.ts';
import { Gateway } from './gateway.ts';
import { installErrorHandling } from './http/errors.ts';
import { installRoutes } from './http/routes.ts';
import { listModels } from './models/listing.ts';
import { UNKNOWN } from './routing/health.ts';

export interface BridgeOptions {
  config: BridgeConfig;
  log: Logger;
  version: string;
  /** Told of what embedded engines say while they load. */
  onEngineEvent?: (backend: string, event: EngineEvent) => void;
}

export interface Bridge {
  app: FastifyInstance;
  /** Binds the API and starts the engines; the address it listens on. */
  listen: () => Promise<string>;
  /** Takes no new work, waits for the running as long as that, then ends everything. */
  close: (drainMs: number) => Promise<void>;
}

/** For a client to send all of its request. */
const REQUEST_TIMEOUT_MS = 60_000;
const PROBE_INTERVAL_MS = 2_000;
const PROBE_TIMEOUT_MS = 2_000;

export async function buildBridge({ config, log, version, onEngineEvent }: BridgeOptions): Promise<Bridge> {
  const backends = new Map(config.backends.map((backend) => [backend.id, new Backend(backend)]));
  const engines = [...backends.values()]
    .filter((backend) => backend.config.engine === 'embedded')
    .map((backend) => new EmbeddedEngine(backend, { log, onEvent: onEngineEvent }));
  const gateway = new Gateway(config, backends, config.limits.queue, log);
  const prober = new Prober(backends.values(), {
    log,
    interval: PROBE_INTERVAL_MS,
    timeout: PROBE_TIMEOUT_MS,
  });
  const access =
    config.auth.mode === 'none'
      ? undefined
      : {
          keys: new KeyStore(config.state_dir),
          tokens: await Tokens.open(config.state_dir, config.auth.jwt_ttl),
        };

  // Named by fastify's own type, or pino's would become part of the instance's type everywhere.
  const logger: FastifyBaseLogger = log;
  const app = Fastify({
    loggerInstance: logger,
    // One line a request, written below, with what an operator asks for.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request' }),
    bodyLimit: config.limits.body_mb * 1024 * 1024,
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: () => `req_${randomUUID()}`,
    // A stream that is being read keeps its connection; everything idle may go at once when we close.
    forceCloseConnections: true,
  });
  // Only JSON: a web page may send text/plain anywhere without asking, and must not get an answer out of us.
  app.removeContentTypeParser('text/plain');
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header(HEADER.requestId, request.id);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    log.info(
      {
        request: request.id,
        method: request.method,
        route: request.routeOptions.url,
        status: reply.statusCode,
        backend: reply.getHeader(HEADER.backend),
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    );
    done();
  });
  installErrorHandling(app, config.limits.body_mb);
  const created = Math.floor(Date.now() / 1_000);
  installRoutes(app, {
    gateway,
    access,
    version,
    backends: [...backends.values()],
    models: () => listModels(config, (id) => backends.get(id)?.health ?? UNKNOWN, created),
  });

  return {
    app,
    listen: async () => {
      const address = await app.listen(config.listen.api);
      for (const engine of engines) engine.start();
      await prober.start();
      return address;
    },
    close: async (drainMs) => {
      const limit = new Promise<void>((resolve) => {
        setTimeout(resolve, drainMs).unref();
      });
      await Promise.race([gateway.drain(), limit]);
      await prober.close();
      await app.close();
      await Promise.all(engines.map((engine) => engine.close()));
      await Promise.all(Array.from(backends.values(), (backend) => backend.close()));
      access?.keys[Symbol.dispose]();
    },
  };
}
