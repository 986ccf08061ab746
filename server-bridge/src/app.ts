/** Builds the bridge from its configuration: everything is constructed here, in order, and ended in reverse. */
import type { EngineEvent } from '@hearth/engine-llama/events';
import { HEADER, HearthError, type BridgeConfig } from '@hearth/protocol';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { KeyStore } from './access/key-store.ts';
import { Tokens } from './access/tokens.ts';
import { Fleet } from './backends/fleet.ts';
import { Prober } from './backends/prober.ts';
import { Gateway } from './gateway.ts';
import { installErrorHandling, newRequestId, refuseMalformed, sendError } from './http/errors.ts';
import { installRoutes } from './http/routes.ts';
import { listModels } from './models/listing.ts';
import { UNKNOWN } from './routing/health.ts';
import { StatusFeed } from './status-feed.ts';

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
  /** Goes over to the backends and models of another configuration; what runs goes on. */
  reload: (next: BridgeConfig) => void;
  /** Takes no new work, waits for the running as long as that, then ends everything. */
  close: (drainMs: number) => Promise<void>;
}

/** For a client to send all of its request. */
const REQUEST_TIMEOUT_MS = 60_000;
/** For clients to read the end of their streams when the bridge closes. */
const LAST_BYTES_MS = 500;
const PROBE_INTERVAL_MS = 2_000;
const PROBE_TIMEOUT_MS = 2_000;

export async function buildBridge({ config, log, version, onEngineEvent }: BridgeOptions): Promise<Bridge> {
  const created = Math.floor(Date.now() / 1_000);
  const status: StatusFeed = new StatusFeed(() => ({
    version,
    models: listModels(
      fleet.table,
      (id) => fleet.get(id)?.health ?? UNKNOWN,
      (id) => fleet.get(id)?.server?.context,
      created,
    ),
    backends: fleet.backends.map((backend) => backend.status()),
  }));
  const fleet: Fleet = new Fleet(config, { log, onEngineEvent, onChange: () => status.changed() });
  const gateway = new Gateway(fleet, config.limits.queue, log);
  const prober = new Prober(fleet, { log, interval: PROBE_INTERVAL_MS, timeout: PROBE_TIMEOUT_MS });
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
    bodyLimit: Math.floor(config.limits.body_mb * 1024 * 1024),
    requestTimeout: REQUEST_TIMEOUT_MS,
    genReqId: newRequestId,
    frameworkErrors: (error, request, reply) => {
      sendError(reply, request, new HearthError('invalid_request', error.message));
    },
    clientErrorHandler: refuseMalformed,
    // What is idle may go at once when we close; a stream's last bytes get a moment, see `close`.
    forceCloseConnections: 'idle',
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
  installRoutes(app, { gateway, access, status });

  return {
    app,
    listen: async () => {
      const address = await app.listen(config.listen.api);
      fleet.start();
      await prober.start();
      return address;
    },
    reload: (next) => fleet.change(next),
    close: async (drainMs) => {
      const limit = new Promise<void>((resolve) => {
        setTimeout(resolve, drainMs).unref();
      });
      await Promise.race([gateway.drain(), limit]);
      await prober.close();
      status.close();
      const force = setTimeout(() => app.server.closeAllConnections(), LAST_BYTES_MS);
      await app.close();
      clearTimeout(force);
      await fleet.close();
      access?.keys[Symbol.dispose]();
    },
  };
}
