/** Installs code-server from npm into its cache folder, whole or not at all: built beside it, then renamed into place. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { CODE_SERVER_VERSION, codeServerCache, findCodeServer } from './code-server.ts';

const BUILD_TOOLS = ['g++', 'make', 'python3', 'pkg-config'];
const BUILD_LIBRARIES = { 'krb5-gssapi': 'libkrb5-dev', 'libsecret-1': 'libsecret-1-dev' };

type Ended = { code: number | null; output: string };

/** Runs a program to its end; the last 4,000 characters of what it said come back. Rejects when it can't start. */
async function run(program: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4_000));
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, output }));
  });
}

function onPath(program: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** The Debian packages that building code-server's native modules needs and this machine lacks. */
async function missingForBuild(): Promise<string[]> {
  const tools = BUILD_TOOLS.filter((tool) => !onPath(tool));
  if (tools.includes('pkg-config')) return [...tools, ...Object.values(BUILD_LIBRARIES)];
  const found = await Promise.all(
    Object.entries(BUILD_LIBRARIES).map(async ([library, debian]) => ({
      debian,
      present: (await run('pkg-config', ['--exists', library])).code === 0,
    })),
  );
  return [...tools, ...found.filter(({ present }) => !present).map(({ debian }) => debian)];
}

async function npmInstall(folder: string, wanted: string, env: NodeJS.ProcessEnv): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--no-audit', '--no-fund', '--no-update-notifier', wanted];
  const { code, output } = await run('npm', args, { cwd: folder, env });
  if (code !== 0) throw new Error(`npm could not install ${wanted}:\n${output}`);
}

/**
 * Makes sure code-server is in the cache and gives its folder. Takes about two minutes the first time. `say` gets
 * one line a step. Throws with the packages to install when the machine can't build it. Two at once are safe: the
 * one that ends second drops its own copy.
 */
export async function installCodeServer(say: (line: string) => void): Promise<string> {
  const found = findCodeServer();
  if (found !== undefined) return found;
  const missing = await missingForBuild();
  if (missing.length > 0)
    throw new Error(
      `code-server's native modules can't be built here. Install: ${missing.join(' ')} (Debian: apt-get install ${missing.join(' ')})`,
    );

  const target = codeServerCache();
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(`${target}-installing-`);
  const started = Date.now();
  try {
    // Headers for node-gyp: the `node` package links its binary only, the platform's package has them beside it.
    const platformNode = `node-${process.platform}-${process.arch}`;
    const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH ?? ''}`;
    say(`web editor: fetching the headers of Node ${process.versions.node}`);
    await npmInstall(join(work, 'headers'), `${platformNode}@${process.versions.node}`, process.env);
    say(`web editor: installing code-server ${CODE_SERVER_VERSION} (once, about two minutes)`);
    await npmInstall(join(work, 'package'), `code-server@${CODE_SERVER_VERSION}`, {
      ...process.env,
      PATH: path,
      // code-server judges Node's version by this; the npm that runs us may itself be run by an older one.
      npm_config_user_agent: undefined,
      npm_config_nodedir: join(work, 'headers', 'node_modules', platformNode),
    });
    if (findCodeServer() === undefined) {
      await rm(target, { recursive: true, force: true });
      await rename(join(work, 'package'), target);
    }
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  const installed = findCodeServer();
  if (installed === undefined)
    throw new Error(
      `code-server ${CODE_SERVER_VERSION} was installed but its workbench isn't where it belongs`,
    );
  say(`web editor: installed in ${Math.round((Date.now() - started) / 1_000)} s`);
  return installed;
}
