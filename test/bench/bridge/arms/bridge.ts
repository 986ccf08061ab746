/** The bridge, from this checkout or another, as its own process with the log as it ships. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { bridgeConfig } from '@hearth/protocol';
import type { z } from 'zod';
import { BenchProcess } from '../process.ts';
import type { Arm } from './arm.ts';

type Written = z.input<typeof bridgeConfig>;

const HERE = fileURLToPath(new URL('../../../..', import.meta.url));

const config = (folder: string, upstreamPorts: number[], extra: Partial<Written>): Written => {
  const ids = upstreamPorts.map((_, index) => `backend-${index + 1}`);
  return {
    listen: { api: { port: 0 }, metrics: { port: 0 } },
    state_dir: join(folder, 'state'),
    auth: { mode: 'none' },
    backends: upstreamPorts.map((port, index) => ({
      id: ids[index] ?? '',
      engine: 'openai',
      url: `http://127.0.0.1:${port}`,
      model: 'Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8',
      max_concurrency: 512,
      timeouts: { connect: '5s', first_token: '60s', stall: '60s' },
    })),
    models: [{ id: 'coder', backends: ids }],
    limits: { queue: 4_096 },
    ...extra,
  };
};

/** `extra` replaces sections of the configuration; `checkout` is the folder of another copy of the project. */
export function bridgeArm(name: string, extra: Partial<Written> = {}, checkout = HERE): Arm {
  // As its users run it: the heap's limits are in its first line.
  const main = join(checkout, 'server-bridge', 'src', 'main.js');
  return {
    name,
    ours: true,
    describe: async () => {
      const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as {
        version: string;
      };
      const changes = Object.keys(extra).length === 0 ? '' : `, with ${JSON.stringify(extra)}`;
      return `Hearth's bridge ${version}${checkout === HERE ? '' : ` of ${checkout}`}, no keys, log as it ships to a file${changes}`;
    },
    prepare: async () => undefined,
    async start({ upstreamPorts, folder }) {
      const file = join(folder, 'hearth.json');
      await writeFile(file, JSON.stringify(config(folder, upstreamPorts, extra)));
      const bridge = new BenchProcess([main, 'serve', '--config', file], join(folder, 'output.log'));
      const [, port] = await bridge.prints(/^Hearth bridge \S+ on http:\/\/127\.0\.0\.1:(\d+)$/m);
      return {
        port: Number(port),
        headers: {},
        pids: () => bridge.pids,
        [Symbol.asyncDispose]: async () => await bridge[Symbol.asyncDispose](),
      };
    },
  };
}
