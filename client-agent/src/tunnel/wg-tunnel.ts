/** The `Tunnel` port over WireGuard: one interface with one peer, made from the profile, named problems for failures. */
import type { AgentProfile, Problem } from '@hearth/protocol';
import { WireguardError } from 'wireguard-tools-wrapper/errors';
import type { WireguardErrorCode } from 'wireguard-tools-wrapper/errors';
import { publicKeyOf } from 'wireguard-tools-wrapper/keys';
import type { Wireguard } from 'wireguard-tools-wrapper/wireguard';
import { ZodError } from 'zod';
import type { PeerReading, RaiseResult, Tunnel } from './ports.ts';

/** Seconds; what NAT boxes need to keep a UDP path open (wg(8)). */
const KEEPALIVE_S = 25;

/** What to do about each failure, and whether trying again alone may help. */
const ADVICE: Record<WireguardErrorCode, { fix: string; retry: boolean }> = {
  program_missing: { fix: 'Install it and connect again.', retry: false },
  not_permitted: {
    fix: 'Making a network interface needs the right to (CAP_NET_ADMIN): start the agent as root, "sudo hearth-agent run --no-tray".',
    retry: false,
  },
  interface_exists: {
    fix: 'It was not made by this agent. Remove it, or choose another name for "interface" in the profile.',
    retry: false,
  },
  route_exists: {
    fix: 'Another network uses the addresses of the tunnel. Leave that network, or have the server use others.',
    retry: false,
  },
  endpoint_unresolved: {
    fix: "Check this PC's network, and the name in endpoint in the profile.",
    retry: true,
  },
  timeout: { fix: 'It is tried again. If it stays, restart this PC.', retry: true },
  command_failed: {
    fix: 'It is tried again. If it stays, the message says what the program found.',
    retry: true,
  },
};

export class WgTunnel implements Tunnel {
  readonly #wireguard: Wireguard;
  readonly #profile: AgentProfile;

  constructor(wireguard: Wireguard, profile: AgentProfile) {
    this.#wireguard = wireguard;
    this.#profile = profile;
  }

  /** An interface that an earlier agent left behind is replaced; one of somebody else is left alone. */
  async raise(signal: AbortSignal): Promise<RaiseResult> {
    const profile = this.#profile;
    try {
      await this.#removeOwn();
      await this.#wireguard.up(
        {
          name: profile.interface,
          privateKey: profile.private_key,
          addresses: [profile.address],
          peers: [
            {
              publicKey: profile.server_public_key,
              presharedKey: profile.preshared_key,
              endpoint: profile.endpoint,
              allowedIps: profile.allowed_ips,
              keepalive: KEEPALIVE_S,
            },
          ],
        },
        { signal },
      );
      return { kind: 'raised' };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'failed', ...explain(error) };
    }
  }

  async lower(): Promise<Problem | null> {
    try {
      await this.#removeOwn();
      return null;
    } catch (error) {
      return explain(error).problem;
    }
  }

  async read(signal: AbortSignal): Promise<PeerReading> {
    try {
      const result = await this.#wireguard.status(this.#profile.interface, { signal });
      if (result.kind !== 'present') return { kind: 'absent' };
      const peer = result.status.peers.find(({ publicKey }) => publicKey === this.#profile.server_public_key);
      return peer === undefined ? { kind: 'absent' } : { kind: 'present', ...peer };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'unreadable', problem: explain(error).problem };
    }
  }

  async resetEndpoint(signal: AbortSignal): Promise<void> {
    const { interface: name, server_public_key, endpoint } = this.#profile;
    await this.#wireguard.setEndpoint(name, server_public_key, endpoint, { signal });
  }

  /** Ours is the one with our key, or one without a key, left half-made. */
  async #removeOwn(): Promise<void> {
    const { interface: name, private_key } = this.#profile;
    const result = await this.#wireguard.status(name);
    if (result.kind !== 'present') return;
    const { publicKey } = result.status;
    if (publicKey === null || publicKey === publicKeyOf(private_key)) await this.#wireguard.down(name);
  }
}

function explain(error: unknown): { problem: Problem; retry: boolean } {
  if (error instanceof WireguardError) {
    const { fix, retry } = ADVICE[error.code];
    return { problem: { code: error.code, message: error.message, fix }, retry };
  }
  if (error instanceof ZodError)
    return {
      problem: {
        code: 'profile_invalid',
        message: `The profile makes no tunnel: ${error.issues.map(({ message }) => message).join('; ')}.`,
        fix: 'Correct the profile and connect again.',
      },
      retry: false,
    };
  return {
    problem: {
      code: 'internal',
      message: `The tunnel failed: ${error instanceof Error ? error.message : 'for a reason it did not give'}.`,
      fix: 'It is tried again. If it stays, report it with the log of the agent.',
    },
    retry: true,
  };
}
