/** What an interface is made from, checked before any program runs, and the text that `wg setconf` reads. */
import { BlockList, isIP, isIPv4 } from 'node:net';
import { z } from 'zod';
import { concealedKey, wireguardKey } from './keys.ts';
import { isNetwork } from './network.ts';

/** Up to 15 characters (IFNAMSIZ), none with a meaning to a program or a path. */
export const interfaceName = z
  .string()
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_-]{0,14}$/, 'an interface name is 1 to 15 letters, digits, "_" and "-"');

const cidr = z.union([z.cidrv4(), z.cidrv6()], 'an address with prefix length, like 10.77.0.2/32');

/** `host:port`, the host a name, an IPv4 address, or an IPv6 address in brackets. */
export const endpoint = z
  .string()
  .regex(
    /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9]([a-zA-Z0-9.-]{0,253}[a-zA-Z0-9])?):[0-9]{1,5}$/,
    'an endpoint is host:port',
  )
  .refine((text) => {
    const port = Number(text.slice(text.lastIndexOf(':') + 1));
    return port >= 1 && port <= 65_535;
  }, 'a port is 1 to 65535');

/** The host of an endpoint, an IPv6 address without its brackets. */
export const hostOf = (text: string) => text.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');

const network = cidr
  .refine((text) => !text.endsWith('/0'), 'only part of the network can go through the tunnel')
  .refine(isNetwork, {
    error: ({ input }) =>
      `${String(input)} is an address within a network: write the network's own address, with zeros after the prefix`,
  });

const peerConfig = z.strictObject({
  publicKey: wireguardKey,
  presharedKey: concealedKey.optional(),
  endpoint: endpoint.optional(),
  /** The only addresses routed into the tunnel. A prefix of 0 would take the peer's own endpoint with it. */
  allowedIps: z.array(network).min(1),
  /** Seconds; 0 is off. Keeps the way through a NAT open. */
  keepalive: z.int().min(0).max(65_535).default(0),
});

/**
 * Bytes in a packet inside the tunnel. WireGuard adds 60 (over IPv4) or 80 (over IPv6), so 1420 just fits plain
 * Ethernet and is lost without a word on PPPoE, mobile networks and tunnels in tunnels. 1280 is the least that IPv6
 * allows a link to have, fits them all, and costs about one percent of the throughput.
 */
const DEFAULT_MTU = 1280;

export const interfaceConfig = z
  .strictObject({
    name: interfaceName,
    privateKey: concealedKey,
    addresses: z.array(cidr).min(1),
    /** UDP; 0 lets the system choose. */
    listenPort: z.int().min(0).max(65_535).default(0),
    mtu: z.int().min(1280).max(65_535).default(DEFAULT_MTU),
    peers: z.array(peerConfig),
    backend: z.enum(['auto', 'kernel', 'wireguard-go']).default('auto'),
  })
  .superRefine((config, context) => {
    config.peers.forEach((peer, index) => {
      const host = hostOf(peer.endpoint ?? '');
      if (isIP(host) !== 0 && isInside(host, peer.allowedIps))
        context.addIssue({
          code: 'custom',
          path: ['peers', index, 'endpoint'],
          message: 'the endpoint lies inside allowedIps: the tunnel would carry its own packets',
        });
    });
  });
export type InterfaceConfig = z.infer<typeof interfaceConfig>;
/** The same before defaults are filled in. */
export type InterfaceInput = z.input<typeof interfaceConfig>;

function isInside(host: string, networks: readonly string[]): boolean {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    list.addSubnet(address, Number(prefix), isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return list.check(host, isIPv4(host) ? 'ipv4' : 'ipv6');
}

/** The text for `wg setconf`. It holds the keys: for a program's stdin and nothing else. */
export function renderSetconf(config: InterfaceConfig): string {
  const lines = ['[Interface]', `PrivateKey = ${config.privateKey.reveal()}`];
  if (config.listenPort !== 0) lines.push(`ListenPort = ${config.listenPort}`);
  for (const peer of config.peers) {
    lines.push('[Peer]', `PublicKey = ${peer.publicKey}`);
    if (peer.presharedKey) lines.push(`PresharedKey = ${peer.presharedKey.reveal()}`);
    if (peer.endpoint) lines.push(`Endpoint = ${peer.endpoint}`);
    lines.push(`AllowedIPs = ${peer.allowedIps.join(', ')}`);
    if (peer.keepalive > 0) lines.push(`PersistentKeepalive = ${peer.keepalive}`);
  }
  return `${lines.join('\n')}\n`;
}
