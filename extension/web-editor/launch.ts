/** Starts code-server on loopback with the extension installed in a data folder of its own; ends it and all it started. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type EditorParts = {
  /** The installed code-server package. */
  codeServer: string;
  vsix: string;
  /** The editor's own folder: user data, extensions, configuration. Made where it isn't. */
  dataDir: string;
  /** The user's settings.json; absent, the one that is there stays. */
  settings?: Record<string, unknown>;
  /** Added to this process's environment. */
  env?: Record<string, string>;
  /** Put before every command line, such as `['ip', 'netns', 'exec', 'NAME']`. */
  prefix?: string[];
  /** 0: a free one. */
  port: number;
};

export type RunningEditor = AsyncDisposable & {
  /** The workbench's address, without a folder. */
  url: string;
  /** Resolves when the editor has ended, by whatever cause. */
  ended: Promise<void>;
};

const START_MS = 30_000;
const END_MS = 5_000;

/** Settings for an editor that calls nobody and greets nobody: no telemetry, updates, welcome page or built-in chat. */
export const QUIET_SETTINGS = {
  'telemetry.telemetryLevel': 'off',
  'update.mode': 'none',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.enableExperiments': false,
  'workbench.settings.enableNaturalLanguageSearch': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'security.workspace.trust.enabled': false,
  'chat.commandCenter.enabled': false,
  'chat.disableAIFeatures': true,
  'remote.autoForwardPorts': false,
  'typescript.surveys.enabled': false,
};

/** Installs the extension and starts the editor; resolves when it serves. Rejects with its output when it doesn't. */
export async function startEditor(parts: EditorParts): Promise<RunningEditor> {
  const folders = [
    ['--user-data-dir', join(parts.dataDir, 'data')],
    ['--extensions-dir', join(parts.dataDir, 'extensions')],
    ['--config', join(parts.dataDir, 'config.yaml')],
  ].flat();
  const user = join(parts.dataDir, 'data', 'User');
  await mkdir(user, { recursive: true });
  await writeFile(join(parts.dataDir, 'config.yaml'), '{}\n');
  if (parts.settings !== undefined)
    await writeFile(join(user, 'settings.json'), JSON.stringify(parts.settings, undefined, 2));

  const install = run(parts, [...folders, '--install-extension', parts.vsix, '--force']);
  await once(install.child, 'close');
  if (install.child.exitCode !== 0)
    throw new Error(`code-server did not take the extension:\n${install.output()}`);

  const quiet = ['--disable-telemetry', '--disable-update-check', '--disable-workspace-trust'];
  const bind = ['--auth', 'none', '--bind-addr', `127.0.0.1:${parts.port}`, '--ignore-last-opened'];
  const { child, output } = run(parts, [...folders, ...quiet, ...bind, '--disable-getting-started-override']);
  const ended = once(child, 'close').then(() => undefined);
  const url = await serving(child, output);
  return { url, ended, [Symbol.asyncDispose]: () => end(child, ended) };
}

function run(parts: EditorParts, args: string[]): { child: ChildProcess; output: () => string } {
  const entry = join(parts.codeServer, 'out', 'node', 'entry.js');
  const [program = process.execPath, ...rest] = [...(parts.prefix ?? []), process.execPath, entry, ...args];
  const env: NodeJS.ProcessEnv = { ...process.env, ...parts.env };
  // Set in a terminal of VS Code or code-server: it would hand the command over to that editor.
  delete env.VSCODE_IPC_HOOK_CLI;
  delete env.PORT;
  const child = spawn(program, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-8_000));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return { child, output: () => output };
}

/** Its first line about listening holds the address. */
function serving(child: ChildProcess, output: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      child.kill('SIGKILL');
      reject(new Error(`code-server ${why}:\n${output()}`));
    };
    const late = setTimeout(() => fail(`did not start within ${START_MS / 1_000} s`), START_MS);
    const exited = () => {
      clearTimeout(late);
      fail('ended while it was starting');
    };
    child.once('close', exited);
    child.once('error', (error) => fail(error.message));
    child.stdout?.on('data', () => {
      const url = /HTTP server listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(output())?.[1];
      if (url === undefined) return;
      clearTimeout(late);
      child.off('close', exited);
      resolve(url);
    });
  });
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM');
  const hard = setTimeout(() => child.kill('SIGKILL'), END_MS);
  await ended;
  clearTimeout(hard);
}
