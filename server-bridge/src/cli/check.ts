/** `hearth-bridge check`: validates the configuration, then asks every backend for what it is to serve. */
import { styleText } from 'node:util';
import { pino } from 'pino';
import { Backend } from '../backends/backend.ts';
import { EmbeddedEngine } from '../backends/embedded-engine.ts';
import { nextHealth } from '../routing/health.ts';
import { probe, type ProbeResult } from '../check/probes.ts';
import { loadConfig } from '../config.ts';
import { CommandFailed } from './failure.ts';

export async function check(options: { config?: string; json?: boolean }): Promise<void> {
  const { config } = loadConfig(options.config);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const results: ProbeResult[] = [];
  for (const one of config.backends) {
    const backend: Backend = new Backend(one, {
      learnt: ({ standing }, event) => {
        standing.health = nextHealth(standing.health, event, 0, 0);
      },
      server: () => undefined,
    });
    const engine = one.engine === 'embedded' ? await startEngine(backend, stop.signal) : undefined;
    try {
      for await (const result of probe(backend, stop.signal)) {
        results.push(result);
        if (!options.json) process.stdout.write(`${describe(result)}\n`);
      }
    } finally {
      await engine?.close();
      await backend.close();
    }
  }
  const failed = results.filter((result) => !result.ok).length;
  if (options.json) process.stdout.write(`${JSON.stringify({ ok: failed === 0, probes: results })}\n`);
  if (failed > 0) throw new CommandFailed(`${failed} of ${results.length} probes failed`);
}

/** Its own copy of the engine, which may stand beside a bridge's; resolves when it is ready or has failed. */
async function startEngine(backend: Backend, signal: AbortSignal): Promise<EmbeddedEngine> {
  const { promise: settled, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  const engine = new EmbeddedEngine(backend, {
    log: pino({ level: 'silent' }),
    onEvent: (_id, event) => {
      if (event.event === 'notice') process.stderr.write(`${event.message}\n`);
      if (event.event === 'ready' || event.event === 'failed') resolve();
    },
  });
  engine.start();
  await settled;
  // The engine's end, and with it the reason, comes just after its last words.
  if (backend.server === undefined) await engine.close();
  return engine;
}

function describe({ backend, probe: name, ok, detail, ms }: ProbeResult): string {
  const mark = ok
    ? styleText('green', 'ok  ', { stream: process.stdout })
    : styleText('red', 'FAIL', { stream: process.stdout });
  return `${mark}  ${backend}  ${name}  ${detail}  (${ms} ms)`;
}
