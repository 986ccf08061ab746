/** `hearth-bridge serve`: runs the gateway in the foreground until it is told to stop. */
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import type { BridgeConfig } from '@hearth/protocol';
import { pino, type Logger } from 'pino';
import { buildBridge, type Bridge } from '../app.ts';
import { ConfigError, loadConfig } from '../config.ts';
import { VERSION } from '../version.ts';
import { CommandFailed } from './failure.ts';

/** How long running requests may take to end after SIGTERM. */
const DRAIN_MS = 30_000;

export async function serve(options: { config?: string; logLevel: string }): Promise<void> {
  const { config, file } = loadConfig(options.config);
  const log = pino(
    { level: options.logLevel, base: undefined, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  );
  for (const line of notYet(config)) log.warn(line);

  const bridge = await buildBridge({
    config,
    log,
    version: VERSION,
    onEngineEvent: (backend, event) => {
      if (event.event === 'progress')
        log.info({ backend, phase: event.phase, fraction: event.fraction }, event.message ?? event.phase);
    },
  });
  // Heard from here on, so that a stop while the engines start is an orderly one too.
  const stop = stopSignal();
  let address;
  try {
    address = await bridge.listen();
  } catch (error) {
    await bridge.close(0);
    throw explainListen(error, config);
  }
  log.info({ address, config: file ?? 'embedded default' }, 'bridge listening');
  process.stdout.write(`Hearth bridge ${VERSION} on ${address}\n`);

  reloadOnHangUp(bridge, config, options.config, log);
  const signal = await stop;
  log.info({ signal }, 'draining');
  process.once('SIGTERM', exitNow).once('SIGINT', exitNow);
  await bridge.close(DRAIN_MS);
}

async function stopSignal(): Promise<string> {
  return await Promise.race(['SIGTERM', 'SIGINT'].map(async (name) => once(process, name).then(() => name)));
}

/** On SIGHUP: the file again. What is wrong with it is said, and the old configuration stays in force. */
function reloadOnHangUp(bridge: Bridge, first: BridgeConfig, file: string | undefined, log: Logger): void {
  process.on('SIGHUP', () => {
    try {
      const { config } = loadConfig(file);
      bridge.reload(config);
      const fixed = (['listen', 'state_dir', 'auth', 'limits'] as const).filter(
        (section) => !isDeepStrictEqual(config[section], first[section]),
      );
      if (fixed.length > 0)
        log.warn({ sections: fixed }, 'these sections need a restart of the bridge to apply');
      log.info('configuration reloaded');
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      log.error({ problems: error.problems }, 'the configuration is refused; the old one stays in force');
    }
  });
}

/** A second signal means now. Engines notice by their standard input that nobody holds them any more. */
function exitNow(): void {
  process.exit(1);
}

/** Settings that are valid and mean something, but that this version doesn't act on: said, not swallowed. */
function notYet(config: BridgeConfig): string[] {
  const lines = [];
  if (config.wireguard !== undefined)
    lines.push('wireguard: this version does not manage the interface; bring it up yourself');
  if (config.listen.enrol !== undefined) lines.push('listen.enrol: this version has no enrolment yet');
  if (config.limits.rpm + config.limits.tpm + config.limits.concurrency > 0)
    lines.push('limits.rpm, tpm and concurrency: this version does not limit rates yet');
  return lines;
}

function explainListen(error: unknown, config: BridgeConfig): unknown {
  const { host, port } = config.listen.api;
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    return new CommandFailed(
      `${host}:${port} is in use by another program. Stop that one, or set listen.api.port to a free port.`,
    );
  if (code === 'EADDRNOTAVAIL')
    return new CommandFailed(
      `${host} is not an address of this machine. Is the tunnel up? listen.api.host names it.`,
    );
  if (code === 'EACCES')
    return new CommandFailed(`${host}:${port} needs more privilege; ports from 1024 on do not.`);
  return error;
}
