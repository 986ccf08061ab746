/** Makes the bare interface: in the kernel where it can, by wireguard-go otherwise. */
import { accessSync, constants } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { COMMAND_ENV, runCommand } from './command.ts';
import type { CommandPorts } from './command.ts';
import type { InterfaceConfig } from './config.ts';
import { WireguardError } from './errors.ts';

/** Milliseconds; 20 are usual. */
const SOCKET_DEADLINE_MS = 5_000;
const SOCKET_POLL_MS = 20;
const TUN_DEVICE = '/dev/net/tun';

/** How `ip` says that this kernel has no WireGuard. */
const NO_KERNEL_SUPPORT = /unknown device type|not supported/i;

/** Afterwards the interface exists and `wg` can talk to it. On failure or abort nothing of ours is left. */
export async function makeLink(
  ports: CommandPorts,
  { name, backend }: Pick<InterfaceConfig, 'name' | 'backend'>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (backend !== 'wireguard-go') {
    try {
      await runCommand(ports, 'ip', ['link', 'add', 'dev', name, 'type', 'wireguard'], { signal });
      return;
    } catch (error) {
      if (!(error instanceof WireguardError)) throw error;
      if (/file exists/i.test(error.message)) throw alreadyThere(name);
      if (backend === 'kernel' || !NO_KERNEL_SUPPORT.test(error.message)) throw error;
    }
  }
  await startWireguardGo(ports, name, signal);
}

export const alreadyThere = (name: string) =>
  new WireguardError('interface_exists', `An interface named ${name} exists already.`, 'ip');

/**
 * wireguard-go in the foreground form, silent and with no pipe to this process: it must not die of a closed one when
 * this process is killed. In its own session, so that Ctrl-C on the terminal doesn't reach it before the interface
 * has been taken down in order. It ends when its interface is deleted.
 */
async function startWireguardGo(
  ports: CommandPorts,
  name: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  const path = ports.findProgram('wireguard-go');
  checkTun();
  const child = ports.spawn(path, ['-f', name], {
    stdio: 'ignore',
    env: { ...COMMAND_ENV, LOG_LEVEL: 'silent' },
    detached: true,
    shell: false,
  });
  let ended: Error | undefined;
  child.once('error', (error) => (ended = error));
  child.once('exit', () => (ended ??= endedEarly()));

  try {
    const deadline = performance.now() + SOCKET_DEADLINE_MS;
    while (!(await answers(ports, name, signal))) {
      if (ended) throw ended;
      if (performance.now() > deadline)
        throw new WireguardError('timeout', 'wireguard-go did not open its control socket.', 'wireguard-go');
      await sleep(SOCKET_POLL_MS, undefined, { signal });
    }
    // A second wireguard-go on the same name ends while the first one answers: that is not our interface.
    if (ended) throw ended;
  } catch (error) {
    child.kill('SIGTERM');
    throw error;
  }
  // This process may end without waiting for it.
  child.unref();
}

const endedEarly = () =>
  new WireguardError(
    'command_failed',
    'wireguard-go ended at once; it needs the right to make a TUN interface, and /run/wireguard to write to.',
    'wireguard-go',
  );

/** wireguard-go makes its interface from this device, and is silent about why it can't. */
function checkTun(): void {
  try {
    accessSync(TUN_DEVICE, constants.R_OK | constants.W_OK);
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    throw missing
      ? new WireguardError('command_failed', `This system has no ${TUN_DEVICE}; "modprobe tun" makes it.`)
      : new WireguardError('not_permitted', `This user may not use ${TUN_DEVICE}.`, 'wireguard-go');
  }
}

async function answers(ports: CommandPorts, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await runCommand(ports, 'wg', ['show', name, 'dump'], { signal });
    return true;
  } catch (error) {
    if (error instanceof WireguardError && error.code === 'command_failed') return false;
    throw error;
  }
}
