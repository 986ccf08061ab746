/** Names what is wrong with a tunnel from what was measured, in words for the person in front of it. Pure. */
import type { Problem } from '@hearth/protocol';
import type { PeerReading, ProbeResult } from './ports.ts';

const NO_HANDSHAKE: Problem = {
  code: 'no_handshake',
  message: 'The server does not answer.',
  fix: 'Check that the server is running, that endpoint and server_public_key in the profile are right, and that this network lets UDP through to that port.',
};

const TUNNEL_SILENT: Problem = {
  code: 'tunnel_silent',
  message: 'Nothing comes back through the tunnel.',
  fix: "Check this PC's network. If it is fine, ask the administrator whether the server is up and still knows this device.",
};

const OUTSIDE_TUNNEL: Problem = {
  code: 'bridge_outside_tunnel',
  message: 'The bridge answers, but not through the tunnel.',
  fix: 'Check bridge_url and allowed_ips in the profile: the address of the bridge must be one of allowed_ips.',
};

export const INTERFACE_LOST: Problem = {
  code: 'interface_lost',
  message: 'The network interface of the tunnel has gone.',
  fix: 'Nothing to do if it comes back at once; otherwise look for another program that removes it.',
};

/** `flowed`: whether bytes were received since the reading before. */
export function diagnose(peer: PeerReading, probe: ProbeResult, flowed: boolean): Problem {
  if (peer.kind === 'unreadable') return peer.problem;
  if (peer.kind === 'absent') return INTERFACE_LOST;
  if (probe.kind === 'answered') return OUTSIDE_TUNNEL;
  if (peer.latestHandshake === null) return NO_HANDSHAKE;
  if (!flowed) return TUNNEL_SILENT;
  return {
    code: 'bridge_unreachable',
    message: `The tunnel is up, but the bridge does not answer (${probe.reason}).`,
    fix: 'Check that hearth-bridge is running on the server and that bridge_url in the profile is right.',
  };
}
