/** Reads `wg show IF dump`. The private and preshared keys in it are dropped here and go no further. */
import { WireguardError } from './errors.ts';

export interface PeerStatus {
  publicKey: string;
  /** host:port as last seen, or null while none is known. */
  endpoint: string | null;
  allowedIps: string[];
  /** Unix seconds of the latest handshake; null if there was none. */
  latestHandshake: number | null;
  rxBytes: number;
  txBytes: number;
  /** Seconds; 0 is off. */
  keepalive: number;
}

export interface InterfaceStatus {
  /** Null on an interface that was made but never given a key. */
  publicKey: string | null;
  listenPort: number;
  peers: PeerStatus[];
}

const INTERFACE_FIELDS = 4;
const PEER_FIELDS = 8;

/** Throws `command_failed` on any other shape; the message does not repeat the text. */
export function parseDump(text: string): InterfaceStatus {
  const [first = [], ...rest] = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
  if (first.length !== INTERFACE_FIELDS) throw unreadable();
  return {
    publicKey: given(first[1]),
    listenPort: count(first[2]),
    peers: rest.map((fields) => parsePeer(fields)),
  };
}

function parsePeer(fields: readonly string[]): PeerStatus {
  if (fields.length !== PEER_FIELDS) throw unreadable();
  const [publicKey = '', , endpoint, allowedIps, handshake, rx, tx, keepalive] = fields;
  return {
    publicKey,
    endpoint: given(endpoint),
    allowedIps: given(allowedIps)?.split(',') ?? [],
    latestHandshake: count(handshake) || null,
    rxBytes: count(rx),
    txBytes: count(tx),
    keepalive: keepalive === 'off' ? 0 : count(keepalive),
  };
}

const given = (field: string | undefined) => (field === undefined || field === '(none)' ? null : field);

function count(field: string | undefined): number {
  if (field === undefined || !/^\d+$/.test(field)) throw unreadable();
  return Number(field);
}

const unreadable = () =>
  new WireguardError('command_failed', 'wg printed a status in a form that is not known here.', 'wg');
