#!/usr/bin/env node
/**
 * `hearth-engine-llama`: resolves the model, listens, loads, says so, and stops cleanly on a signal.
 *
 * Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage. A GGUF broken in a way that the header doesn't show may
 * end the process by a signal: that is llama.cpp's doing, and the reason why this is a process of its own.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import pino from 'pino';
import { type EngineOptions, parseCommandLine } from './command-line.ts';
import { type Announce, announceTo } from './events.ts';
import type { Engine } from './generation/engine.ts';
import { loadModel } from './generation/load-model.ts';
import { checkGguf } from './gguf/header.ts';
import { type Served, buildApp } from './http/app.ts';
import { modelFolder } from './models/folder.ts';
import { type ResolvedModel, resolveModel } from './models/resolve.ts';

const CLOSING_MS = 2000;
/** How much has to be loaded for it to be told again. */
const LOAD_STEP = 0.1;

const options = parseCommandLine(process.argv);
const announce = announceTo(process, options.json === true);
const log = pino({ name: 'engine-llama', level: process.env['LOG_LEVEL'] ?? 'warn' }, pino.destination(2));
const stopping = new AbortController();

const halt = () => stopping.abort();
if (options.exitWithParent) {
  process.stdin.once('end', halt).once('error', halt).resume();
  // Ctrl-C and a service manager signal the whole group; a parent that drains still needs its engine then.
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => log.debug('the parent decides'));
} else {
  process.once('SIGTERM', halt).once('SIGINT', halt);
}

try {
  await run(options, announce, stopping.signal);
  process.exitCode = 0;
} catch (error) {
  if (stopping.signal.aborted) {
    process.exitCode = 0;
  } else {
    announce({ event: 'failed', message: (error as Error).message });
    process.exitCode = 1;
  }
}
// llama.cpp keeps handles of its own, and stdin is still open: an orderly end doesn't wait for either.
process.exit();

async function run(wanted: EngineOptions, tell: Announce, signal: AbortSignal): Promise<void> {
  let served: Served | undefined;
  const app = buildApp({ served: () => served, log, now: () => new Date() });
  const url = await listen(app, wanted);
  const model = await obtain(wanted, tell, signal);
  const { context, parallel, threads, gpu } = wanted;
  const onProgress = inSteps((fraction) =>
    tell({ event: 'progress', phase: 'load', fraction, message: 'Loading the model' }),
  );
  const engine = await loadModel(model, { context, parallel, threads, gpu, log, signal, onProgress });
  const alias = wanted.alias ?? model.name;
  served = { alias, engine };
  tell({
    event: 'ready',
    url,
    model: alias,
    context: engine.context,
    parallel,
    bytes_per_token: engine.bytesPerToken,
  });

  if (!signal.aborted) await once(signal, 'abort');
  // The answers cut short are told so; a client that doesn't read on isn't waited for.
  await Promise.race([stop(engine, app), delay(CLOSING_MS)]);
}

async function stop(engine: Engine, app: FastifyInstance): Promise<void> {
  await engine.close();
  await app.close();
}

async function listen(app: FastifyInstance, { host, port }: EngineOptions): Promise<string> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new Error(`Port ${port} on ${host} is in use.`, { cause: error });
  }
  const bound = app.server.address() as AddressInfo;
  return `http://${bound.family === 'IPv6' ? `[${bound.address}]` : bound.address}:${bound.port}`;
}

/** The model to load, fetched if need be, and looked through. */
async function obtain(wanted: EngineOptions, tell: Announce, signal: AbortSignal): Promise<ResolvedModel> {
  const resolution = await resolveModel(wanted.model, {
    folder: modelFolder(process.env),
    signal,
    onProgress: (fraction) =>
      tell({ event: 'progress', phase: 'download', fraction, message: 'Fetching the model' }),
  });
  if (resolution.kind === 'failed') throw new Error(resolution.message);
  if (resolution.notice !== undefined) tell({ event: 'notice', message: resolution.notice });
  const check = checkGguf(resolution.model.path);
  if (check.kind === 'broken') throw new Error(check.message);
  return resolution.model;
}

/** Passes a fraction on when it has grown by a step. */
function inSteps(tell: (fraction: number) => void): (fraction: number) => void {
  let told = 0;
  return (fraction) => {
    if (fraction < told + LOAD_STEP) return;
    told = fraction;
    tell(fraction);
  };
}
