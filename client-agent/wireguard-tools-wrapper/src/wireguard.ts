/**
 * WireGuard interfaces through `ip`, `wg` and `wireguard-go`: up, down, status, endpoint.
 *
 * Promises: never a shell; keys only on a program's stdin; everything checked before the first program runs; a
 * half-made interface is taken down again when a step fails or the signal aborts. Nothing is kept between calls, so
 * an interface that another process made can be read and taken down as well. Calls on one name must not overlap.
 */
import { isIP, isIPv4 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCommand } from './command.ts';
import type { CommandPorts } from './command.ts';
import {
  endpoint as endpointSchema,
  hostOf,
  interfaceConfig,
  interfaceName,
  renderSetconf,
} from './config.ts';
import type { InterfaceConfig, InterfaceInput } from './config.ts';
import { parseDump } from './dump.ts';
import type { InterfaceStatus } from './dump.ts';
import { WireguardError } from './errors.ts';
import { wireguardKey } from './keys.ts';
import { alreadyThere, makeLink } from './link.ts';

/** Milliseconds. */
const GONE_DEADLINE_MS = 2_000;
const GONE_POLL_MS = 10;

interface Cancellable {
  signal?: AbortSignal | undefined;
}

export type StatusResult =
  | { kind: 'absent' }
  /** There is an interface of that name, but it is no WireGuard. */
  | { kind: 'foreign' }
  | { kind: 'present'; status: InterfaceStatus };

export class Wireguard {
  readonly #ports: CommandPorts;

  constructor(ports: CommandPorts) {
    this.#ports = ports;
  }

  /** Makes the interface, gives it keys, peers, addresses and routes to `allowedIps` alone, and sets it up. */
  async up(input: InterfaceInput, { signal }: Cancellable = {}): Promise<void> {
    const config = interfaceConfig.parse(input);
    if ((await this.status(config.name, { signal })).kind !== 'absent') throw alreadyThere(config.name);
    await makeLink(this.#ports, config, signal);
    try {
      await this.#configure(config, signal);
    } catch (error) {
      await this.down(config.name);
      throw error;
    }
  }

  /**
   * Takes the interface down, and with it wireguard-go, addresses and routes; resolves once the name is free again.
   * One that isn't there is done.
   */
  async down(name: string, { signal }: Cancellable = {}): Promise<void> {
    const dev = interfaceName.parse(name);
    try {
      await this.#run('ip', ['link', 'del', 'dev', dev], signal);
    } catch (error) {
      if (!isAbsence(error)) throw error;
    }
    // wireguard-go answers on its control socket for some 20 ms longer than its interface lives.
    const deadline = performance.now() + GONE_DEADLINE_MS;
    while ((await this.status(dev, { signal })).kind !== 'absent') {
      if (performance.now() > deadline)
        throw new WireguardError('timeout', `The interface ${dev} did not go away.`, 'ip');
      await sleep(GONE_POLL_MS, undefined, { signal });
    }
  }

  /** What `wg` knows of it, without private keys. */
  async status(name: string, { signal }: Cancellable = {}): Promise<StatusResult> {
    const dev = interfaceName.parse(name);
    try {
      return { kind: 'present', status: parseDump(await this.#run('wg', ['show', dev, 'dump'], signal)) };
    } catch (error) {
      if (!(error instanceof WireguardError) || error.code !== 'command_failed') throw error;
    }
    try {
      await this.#run('ip', ['link', 'show', 'dev', dev], signal);
      return { kind: 'foreign' };
    } catch (error) {
      if (isAbsence(error)) return { kind: 'absent' };
      throw error;
    }
  }

  /** Sets a peer's endpoint again: a name is looked up anew and a stale path forgotten. */
  async setEndpoint(
    name: string,
    peerPublicKey: string,
    endpoint: string,
    { signal }: Cancellable = {},
  ): Promise<void> {
    const dev = interfaceName.parse(name);
    const peer = wireguardKey.parse(peerPublicKey);
    const args = ['set', dev, 'peer', peer, 'endpoint', endpointSchema.parse(endpoint)];
    await lookingUp([endpoint], this.#run('wg', args, signal));
  }

  async #configure(config: InterfaceConfig, signal: AbortSignal | undefined): Promise<void> {
    const { name, mtu } = config;
    const setconf = runCommand(this.#ports, 'wg', ['setconf', name, '/dev/stdin'], {
      signal,
      secret: renderSetconf(config),
    });
    await lookingUp(
      config.peers.map((peer) => peer.endpoint ?? ''),
      setconf,
    );
    // Without the prefix's own route: what goes into the tunnel is what allowedIps says, no more.
    for (const address of config.addresses)
      await this.#run(
        'ip',
        [family(address), 'address', 'add', address, 'dev', name, 'noprefixroute'],
        signal,
      );
    await this.#run('ip', ['link', 'set', 'dev', name, 'mtu', String(mtu), 'up'], signal);
    for (const network of new Set(config.peers.flatMap((peer) => peer.allowedIps)))
      await this.#addRoute(name, network, signal);
  }

  async #addRoute(name: string, network: string, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#run('ip', [family(network), 'route', 'add', network, 'dev', name], signal);
    } catch (error) {
      if (error instanceof WireguardError && /file exists/i.test(error.message))
        throw new WireguardError('route_exists', `There is another route to ${network} already.`, 'ip');
      throw error;
    }
  }

  #run(program: 'ip' | 'wg', args: string[], signal: AbortSignal | undefined): Promise<string> {
    return runCommand(this.#ports, program, args, { signal });
  }
}

/** `wg` looks names up itself, and then only a name server that does not answer makes it late. */
async function lookingUp(endpoints: readonly string[], work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const names = endpoints.map(hostOf).filter((host) => host !== '' && isIP(host) === 0);
    if (names.length === 0 || !(error instanceof WireguardError) || error.code !== 'timeout') throw error;
    throw new WireguardError(
      'endpoint_unresolved',
      `The look-up of ${names.join(', ')} was not answered in time.`,
      'wg',
    );
  }
}

const family = (network: string) => (isIPv4(network.split('/')[0] ?? '') ? '-4' : '-6');

const isAbsence = (error: unknown) =>
  error instanceof WireguardError && /cannot find device|does not exist/i.test(error.message);
