/** Builds the bridge from its configuration: everything is constructed here, in order, and ended in reverse. */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { EngineEvent } from '@hearth/engine-llama/events';
import { HEADER, HearthError, type BridgeConfig } from '@hearth/protocol';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { KeyStore } from './access/key-store.ts';
import { Tokens } from './access/tokens.ts';
import { Fleet } from './backends/fleet.ts';
import { Prober } from './backends/prober.ts';
import { openControlSocket, type ControlSocket } from './control-socket.ts';
import { Gateway } from './gateway.ts';
import { GpuWatch } from './gpu/gpu-watch.ts';
import { NvidiaSmi } from './gpu/nvidia-smi.ts';
import { Radeon } from './gpu/radeon.ts';
import type { GpuSources } from './gpu/reading.ts';
import { authenticate } from './http/access-hook.ts';
import { installErrorHandling, newRequestId, refuseMalformed, sendError } from './http/errors.ts';
import { installRoutes } from './http/routes.ts';
import { installOperations } from './http/operations.ts';
import { CLIENT_LIMITS, type ClientLimits } from './http/client.ts';
import { FleetPort } from './lifecycle/fleet-port.ts';
import { LiveOperations } from './lifecycle/live-operations.ts';
import { Swapper } from './lifecycle/swapper.ts';
import { listModels } from './models/listing.ts';
import { StatusFeed } from './status-feed.ts';

export interface BridgeOptions {
  config: BridgeConfig;
  log: Logger;
  version: string;
  /** Told of what embedded engines say while they load. */
  onEngineEvent?: (backend: string, event: EngineEvent) => void;
  /** Whether the commands for a running bridge reach it; one bridge a state_dir can have that. */
  controlSocket?: boolean;
  /** For tests that can't wait as long as people do. */
  clientLimits?: ClientLimits;
  /** Where GPUs are read and how often (milliseconds); other than by default only for tests. */
  gpuWatch?: { sources: GpuSources; interval: number };
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
const PROBE = { interval: 2_000, eager: 500, timeout: 2_000 };
const GPU_INTERVAL_MS = 5_000;
/** For the backends to prove themselves before the first request is taken. */
const FIRST_LOOK_MS = 3_000;

export async function buildBridge(options: BridgeOptions): Promise<Bridge> {
  const { config, log, version, onEngineEvent, controlSocket = true, clientLimits = CLIENT_LIMITS } = options;
  const created = Math.floor(Date.now() / 1_000);
  let continueOnFailure = config.continue_on_failure;
  const status: StatusFeed = new StatusFeed(() => {
    const now = performance.now();
    return {
      version,
      models: listModels(fleet.table, created),
      backends: fleet.backends.map((backend) =>
        backend.status(gateway.dispatcher.waitingFor(backend.standing), now),
      ),
      gpus: gpus.status(),
      swaps: swapper.swaps(),
    };
  });
  const fleet: Fleet = new Fleet(config, {
    log,
    onEngineEvent,
    listener: {
      learnt: ({ standing }, event) => gateway.dispatcher.learn(standing, event, performance.now()),
      server: (backend) => prober.wake(backend),
    },
    onTable: (table) => gateway.dispatcher.retable(table, performance.now()),
  });
  const gateway: Gateway = new Gateway(fleet, {
    queue: config.limits.queue,
    log,
    onChange: () => {
      status.changed();
      fleet.noticed();
    },
  });
  const prober: Prober = new Prober({
    log,
    dispatcher: gateway.dispatcher,
    onAnswer: (backend) => fleet.answered(backend),
    ...PROBE,
  });
  const gpus: GpuWatch = new GpuWatch({
    log,
    ...(options.gpuWatch ?? {
      sources: { nvidia: new NvidiaSmi(), amd: new Radeon() },
      interval: GPU_INTERVAL_MS,
    }),
    now: () => performance.now(),
    onReading: (gpu, _reading, heat) => {
      for (const { config, standing } of fleet.backends)
        if (config.gpu === gpu && !isDeepStrictEqual(standing.heat, heat))
          gateway.dispatcher.observe(standing, { heat }, performance.now());
    },
    onChange: () => status.changed(),
  });
  const swapper: Swapper = new Swapper(new FleetPort(fleet, gateway.dispatcher), {
    log,
    now: () => performance.now(),
    onChange: () => status.changed(),
  });
  const operations = new LiveOperations({
    fleet,
    dispatcher: gateway.dispatcher,
    swapper,
    models: () => status.current().models,
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
    // A logger of its own for each request costs more than all that it says.
    childLoggerFactory: (parent) => parent,
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
  installRoutes(app, {
    gateway,
    access,
    status,
    limits: clientLimits,
    continueOnFailure: () => continueOnFailure,
  });
  installOperations(app, {
    operations,
    authorize: async (request) => void (await authenticate(access, request, 'admin')),
  });
  let control: ControlSocket | undefined;

  return {
    app,
    listen: async () => {
      const address = await app.listen(config.listen.api);
      if (controlSocket)
        control = await openControlSocket({
          stateDir: config.state_dir,
          operations,
          status: () => status.current(),
          log,
        });
      fleet.start();
      const looked = Promise.all([gpus.watch(fleet.gpus), prober.watch(fleet.backends)]);
      await Promise.race([looked, sleep(FIRST_LOOK_MS, undefined, { ref: false })]);
      return address;
    },
    reload: (next) => {
      continueOnFailure = next.continue_on_failure;
      fleet.change(next);
      void gpus.watch(fleet.gpus);
      void prober.watch(fleet.backends);
    },
    close: async (drainMs) => {
      await Promise.race([gateway.drain(), sleep(drainMs, undefined, { ref: false })]);
      await prober.close();
      gpus.close();
      swapper.close();
      status.close();
      await control?.close();
      const force = setTimeout(() => app.server.closeAllConnections(), LAST_BYTES_MS);
      await app.close();
      clearTimeout(force);
      await fleet.close();
      access?.keys[Symbol.dispose]();
    },
  };
}
