/**
 * Two disposable network namespaces, `client` and `server`, joined by a virtual cable: a network of their own for
 * tests that need a real tunnel. Needs root, `ip` and `nft`.
 *
 * Names are unique in a run, so tests may run side by side. Dispose ends every process inside, then removes both;
 * processes outside are never touched. The addresses exist only inside.
 */
import { execFile, spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams, SpawnOptionsWithoutStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);

type Side = 'client' | 'server';
const SIDES: readonly Side[] = ['client', 'server'];

/** The cable's end in each namespace. */
const CABLE = 'cable';
const TERM_MS = 3_000;
const POLL_MS = 20;

export interface Namespaces extends AsyncDisposable {
  /** Each side's address on the cable. */
  readonly address: Readonly<Record<Side, string>>;
  /** A name for an interface inside: wireguard-go's control sockets are shared by all namespaces. */
  interfaceName(): string;
  /** What to put before an argument vector to run it inside, for those who start their processes themselves. */
  prefix(side: Side): string[];
  /** Runs a program to its end inside. Rejects with `stderr` in the error when it fails. */
  exec(side: Side, argv: readonly string[]): Promise<{ stdout: string; stderr: string }>;
  /** Starts a program inside; dispose ends it, and so may the caller, by its pid. */
  spawn(
    side: Side,
    argv: readonly string[],
    options?: SpawnOptionsWithoutStdio,
  ): ChildProcessWithoutNullStreams;
  /** Drops every packet on the cable, silently, as a dead line does. */
  cut(): Promise<void>;
  restore(): Promise<void>;
}

export async function makeNamespaces(): Promise<Namespaces> {
  const run = `hearth-${process.pid}-${randomBytes(3).toString('hex')}`;
  const names: Record<Side, string> = { client: `${run}-client`, server: `${run}-server` };
  const address: Record<Side, string> = { client: '10.200.0.2', server: '10.200.0.1' };

  const inside = (side: Side, argv: readonly string[]) => ['netns', 'exec', names[side], ...argv];
  const exec: Namespaces['exec'] = (side, argv) => execute('ip', inside(side, argv));
  const remove = async () => {
    for (const side of SIDES) await removeNamespace(names[side]);
  };

  try {
    for (const side of SIDES) {
      await execute('ip', ['netns', 'add', names[side]]);
      await exec(side, ['ip', 'link', 'set', 'lo', 'up']);
    }
    const client = ['link', 'add', CABLE, 'netns', names.client];
    await execute('ip', [...client, 'type', 'veth', 'peer', 'name', CABLE, 'netns', names.server]);
    for (const side of SIDES) {
      await exec(side, ['ip', 'address', 'add', `${address[side]}/24`, 'dev', CABLE]);
      await exec(side, ['ip', 'link', 'set', CABLE, 'up']);
    }
  } catch (error) {
    await remove();
    throw error;
  }

  const nft = (command: string) => exec('client', ['nft', command]);
  return {
    address,
    exec,
    prefix: (side) => ['ip', ...inside(side, [])],
    interfaceName: () => `ht${randomBytes(4).toString('hex')}`,
    spawn: (side, argv, options) => spawn('ip', inside(side, argv), options),
    async cut() {
      await nft(`add table inet cut; ${cutAt('input', 'iifname')} ${cutAt('output', 'oifname')}`);
    },
    async restore() {
      await nft('delete table inet cut');
    },
    [Symbol.asyncDispose]: remove,
  };
}

/** Before every other rule, so that nothing has been accepted yet. */
const cutAt = (hook: string, by: string) =>
  `add chain inet cut ${hook} { type filter hook ${hook} priority -300; }; add rule inet cut ${hook} ${by} ${CABLE} drop;`;

/** SIGTERM first: wireguard-go then removes its control socket, which lies outside the namespace. */
async function removeNamespace(name: string): Promise<void> {
  const { stdout } = await execute('ip', ['netns', 'list']);
  if (!stdout.split('\n').some((line) => line.split(' ')[0] === name)) return;
  await signalAll(name, 'SIGTERM');
  const deadline = performance.now() + TERM_MS;
  while ((await pidsIn(name)).length > 0) {
    if (performance.now() > deadline) await signalAll(name, 'SIGKILL');
    await sleep(POLL_MS);
  }
  await execute('ip', ['netns', 'delete', name]);
}

async function pidsIn(name: string): Promise<number[]> {
  const { stdout } = await execute('ip', ['netns', 'pids', name]);
  return stdout.split('\n').filter(Boolean).map(Number);
}

async function signalAll(name: string, signal: NodeJS.Signals): Promise<void> {
  for (const pid of await pidsIn(name)) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended between being listed and being signalled, which is what is wanted.
    }
  }
}
