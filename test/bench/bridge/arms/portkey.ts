/** Portkey's gateway from npm, installed into a cache outside the tree: the nearest peer that is Node too. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { BenchProcess } from '../process.ts';
import { freePort, type Arm } from './arm.ts';

const VERSION = '1.15.2';
/** The newest with which its streams work; with later ones it answers 500 (Portkey-AI/gateway#1389). */
const PINNED = { hono: '4.9.7', '@hono/node-server': '1.14.1' };

const LOOPBACK_ONLY = new URL('./loopback-only.ts', import.meta.url).href;

const cache = () =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'hearth', 'bench', `portkey-${VERSION}`);
const program = () => join(cache(), 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js');

/** Whole or not at all: built beside its place, then renamed into it. */
async function ensure(): Promise<void> {
  if (existsSync(program())) return;
  await mkdir(dirname(cache()), { recursive: true });
  const work = await mkdtemp(`${cache()}-installing-`);
  try {
    const dependencies = { '@portkey-ai/gateway': VERSION };
    const manifest = JSON.stringify({ private: true, dependencies, overrides: PINNED });
    await writeFile(join(work, 'package.json'), manifest);
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier'];
    await promisify(execFile)('npm', args, { cwd: work });
    await rename(work, cache());
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

export const portkey: Arm = {
  name: 'portkey',
  ours: false,
  describe: async () =>
    `Portkey's gateway ${VERSION} on this Node, with hono ${PINNED.hono} and @hono/node-server ${PINNED['@hono/node-server']} (with later ones its streams fail), \`--headless\``,
  prepare: ensure,
  async start({ upstreamPorts: [upstream = 0], folder }) {
    const port = await freePort();
    const server = new BenchProcess(
      [process.execPath, '--import', LOOPBACK_ONLY, program(), `--port=${port}`, '--headless'],
      join(folder, 'output.log'),
      { ...process.env, NODE_ENV: 'production' },
    );
    await server.answersOn(port);
    return {
      port,
      headers: {
        authorization: 'Bearer none',
        'x-portkey-provider': 'openai',
        'x-portkey-custom-host': `http://127.0.0.1:${upstream}/v1`,
      },
      pids: () => server.pids,
      [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
    };
  },
};
