/** What the agent says is wrong and what to do about it, in the user's language, found by the problem's code. Pure. */
import type { Problem } from '@hearth/protocol';
import type { Translate } from './translate.ts';

/**
 * Lines for a tooltip or a message. Where the agent's own words name a file or what a program said, they follow; those
 * of a code that isn't known here are all there is.
 */
export function problemWords(problem: Problem, t: Translate): string[] {
  const own = t('In the agent’s words: {0}', problem.message);
  switch (problem.code) {
    case 'no_handshake':
      return [
        t('The server does not answer through the tunnel.'),
        t('Check that the server is running, the profile is right, and this network lets UDP through.'),
      ];
    case 'tunnel_silent':
      return [
        t('Nothing comes back through the tunnel.'),
        t('Check this computer’s network. If it is fine, ask the administrator of the server.'),
      ];
    case 'bridge_outside_tunnel':
      return [
        t('The bridge answers, but not through the tunnel.'),
        t('Check bridge_url and allowed_ips in the profile.'),
      ];
    case 'bridge_unreachable':
      return [
        t('The tunnel is up, but the bridge does not answer.'),
        t('Check that hearth-bridge is running on the server and bridge_url in the profile is right.'),
      ];
    case 'interface_lost':
      return [
        t('The network interface of the tunnel has gone.'),
        t('If it does not come back, another program removes it.'),
      ];
    case 'profile_mode':
    case 'profile_unreadable':
    case 'profile_owner':
      return [
        t('The agent can’t use its profile: the file’s owner or permissions are wrong.'),
        t('In a terminal: {0}', problem.fix),
        own,
      ];
    case 'profile_not_a_file':
    case 'profile_invalid':
      return [t('The agent can’t use its profile: the file is wrong.'), t('Correct the profile.'), own];
    default:
      return tunnelWords(problem, own, t) ?? [problem.message, problem.fix];
  }
}

/** What can go wrong while the interface is made. */
function tunnelWords({ code }: Problem, own: string, t: Translate): string[] | undefined {
  switch (code) {
    case 'program_missing':
      return [t('A program that the tunnel needs is not installed.'), own];
    case 'not_permitted':
      return [t('The agent may not make network interfaces: it has to run as root.'), own];
    case 'interface_exists':
      return [t('A network interface of that name is there already, and it is not the agent’s.'), own];
    case 'route_exists':
      return [t('Another network on this computer uses the addresses of the tunnel.'), own];
    case 'endpoint_unresolved':
      return [t('The server’s name has no address right now. Check this computer’s network.'), own];
    case 'timeout':
    case 'command_failed':
    case 'internal':
      return [t('The tunnel could not be made; it is tried again.'), own];
    default:
      return undefined;
  }
}
