/** The server's end of a WireGuard tunnel inside the server namespace, and the client's profile for it. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { agentProfile } from '@hearth/protocol';
import { generateKeyPair } from 'wireguard-tools-wrapper/keys';
import type { z } from 'zod';
import { RunningCommand } from './cli.ts';
import type { Namespaces } from './namespaces.ts';

type ProfileFile = z.input<typeof agentProfile>;

const SCRIPT = fileURLToPath(new URL('./tunnel-server-main.ts', import.meta.url));
const LISTEN_PORT = 51_820;

export interface TunnelServer {
  /** Addresses inside the tunnel. */
  readonly serverAddress: string;
  readonly clientAddress: string;
  readonly serverInterface: string;
  /** What the tunnel part of a profile holds; `interface` is unique. The rest is `bridge_url` and `api_key`. */
  readonly profile: Omit<ProfileFile, 'bridge_url' | 'api_key'>;
}

/** Brings the interface up (wireguard-go through our wrapper) and returns; it lives until the namespaces end. */
export async function startTunnelServer(net: Namespaces): Promise<TunnelServer> {
  const client = generateKeyPair();
  const serverInterface = net.interfaceName();
  const [serverAddress, clientAddress] = ['10.77.0.1', '10.77.0.2'];
  const made = new RunningCommand(net.spawn('server', [process.execPath, SCRIPT]));
  made.child.stdin.end(
    JSON.stringify({
      name: serverInterface,
      addresses: [`${serverAddress}/32`],
      listenPort: LISTEN_PORT,
      peers: [{ publicKey: client.publicKey, allowedIps: [`${clientAddress}/32`] }],
    }),
  );
  const { code, stdout: publicKey, stderr } = await made.finished;
  if (code !== 0) throw new Error(`the server end of the tunnel did not come up: ${stderr}`);
  return {
    serverAddress,
    clientAddress,
    serverInterface,
    profile: {
      interface: net.interfaceName(),
      private_key: client.privateKey.reveal(),
      address: `${clientAddress}/32`,
      server_public_key: publicKey.trim(),
      endpoint: `${net.address.server}:${LISTEN_PORT}`,
      allowed_ips: [`${serverAddress}/32`],
    },
  };
}

/** Writes `hearth/profile.json` under a folder that stands for XDG_CONFIG_HOME; gives its path. */
export async function writeProfile(configHome: string, profile: ProfileFile): Promise<string> {
  const folder = join(configHome, 'hearth');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'profile.json');
  await writeFile(path, JSON.stringify(profile), { mode: 0o600 });
  return path;
}
