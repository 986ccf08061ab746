/** The bridge inside the test process, on a free loopback port, in front of whatever backends the test brings. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bridgeConfig } from '@hearth/protocol';
import { pino } from 'pino';
import type { z } from 'zod';
import { buildBridge, type BridgeOptions } from '../../server-bridge/src/app.ts';
import { NvidiaSmi } from '../../server-bridge/src/gpu/nvidia-smi.ts';
import { Radeon } from '../../server-bridge/src/gpu/radeon.ts';

export interface RunningBridge extends AsyncDisposable {
  url: string;
  stateDir: string;
  /** Every line it logged. */
  logged: string[];
  close: (drainMs: number) => Promise<void>;
}

/** Tests don't depend on the cards of the machine that runs them. */
const NO_CARDS = {
  sources: { nvidia: new NvidiaSmi({ folders: ['/nowhere'] }), amd: new Radeon({ root: '/nowhere' }) },
  interval: 5_000,
};

type Written = Omit<z.input<typeof bridgeConfig>, 'listen' | 'state_dir'>;

/** Starts it from a configuration as written in `hearth.yaml`; without keys unless `auth` says otherwise. */
export async function startBridge(
  written: Written,
  options: Pick<BridgeOptions, 'clientLimits' | 'gpuWatch'> = {},
): Promise<RunningBridge> {
  const stateDir = await mkdtemp(join(tmpdir(), 'hearth-bridge-'));
  const logged: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) });
  const config = bridgeConfig.parse({
    auth: { mode: 'none' },
    ...written,
    listen: { api: { host: '127.0.0.1', port: 0 } },
    state_dir: stateDir,
  });
  const bridge = await buildBridge({ config, log, version: '0.0.0-test', gpuWatch: NO_CARDS, ...options });
  const url = await bridge.listen();
  return {
    url,
    stateDir,
    logged,
    close: bridge.close,
    async [Symbol.asyncDispose]() {
      await bridge.close(0);
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** Two backends, `first` preferred, behind one model `coder`. */
export function twoBackends(first: string, second: string, extra: Record<string, unknown> = {}): Written {
  const backend = (id: string, url: string, gpu: string) => ({
    id,
    engine: 'openai' as const,
    url,
    model: `${id}-model`,
    gpu,
    fim: 'qwen' as const,
    timeouts: { connect: '500ms', first_token: '400ms', stall: '400ms' },
    ...extra,
  });
  return {
    gpus: [
      { id: 'rtx6000', vendor: 'nvidia', memory_gb: 96 },
      { id: 'rx9070xt', vendor: 'amd', memory_gb: 16 },
    ],
    backends: [backend('first', first, 'rtx6000'), backend('second', second, 'rx9070xt')],
    models: [{ id: 'coder', title: 'Coder', backends: ['first', 'second'] }],
  };
}
