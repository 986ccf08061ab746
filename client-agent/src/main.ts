#!/usr/bin/env node
/** `hearth-agent`: the only place that constructs. */
import { spawn } from 'node:child_process';
import { pino } from 'pino';
import { Agent as HttpAgent } from 'undici';
import { findProgram } from 'wireguard-tools-wrapper/programs';
import { Wireguard } from 'wireguard-tools-wrapper/wireguard';
import packageJson from '../package.json' with { type: 'json' };
import { Agent } from './agent.ts';
import { runProgram } from './cli/program.ts';
import { AgentClient } from './local-api/client.ts';
import { buildLocalApi } from './local-api/server.ts';
import { profilePath, socketPath } from './places.ts';
import { readProfile } from './profile.ts';
import { runAgent } from './run-agent.ts';
import { systemClock as clock } from './system-clock.ts';
import { TokenSource } from './token-source.ts';
import { probeBridge } from './tunnel/bridge-probe.ts';
import { TunnelSession } from './tunnel/session.ts';
import { WgTunnel } from './tunnel/wg-tunnel.ts';
import type { SessionPorts } from './tunnel/session.ts';

const terminal = { stdout: process.stdout, stderr: process.stderr };
const socket = socketPath(process.env);

const signalled = () =>
  new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
    // A terminal that is closed sends it more than once: through the kernel and through the shell.
    process.on('SIGHUP', resolve);
  });

async function run(json: boolean) {
  const ended = signalled();
  const destination = pino.destination({ fd: 2, sync: true });
  // The terminal may be gone (EIO): a line that can't be written must not keep the tunnel from being taken down.
  destination.on('error', () => {});
  const log = pino({ name: 'hearth-agent' }, destination);
  const wireguard = new Wireguard({ spawn, findProgram });
  // A connection attempt that outlives its probe would hold up the next one.
  const http = new HttpAgent({ connect: { timeout: 2_000 } });
  const openTunnel: SessionPorts['openTunnel'] = (profile) => new WgTunnel(wireguard, profile);
  const probe: SessionPorts['probe'] = (profile, signal) => probeBridge(http, profile, signal);
  const session = new TunnelSession({ openTunnel, probe, clock, log });
  const agent = new Agent({
    readProfile: () => readProfile(profilePath(process.env)),
    openTunnel,
    session,
    tokens: new TokenSource(http, clock),
    clock,
    log,
  });
  const api = buildLocalApi(agent, log);
  try {
    return await runAgent({ agent, api, socketPath: socket, ended, terminal, json, log });
  } finally {
    await http.destroy();
  }
}

process.exitCode = await runProgram(
  { version: packageJson.version, terminal, openClient: () => new AgentClient(socket), run },
  process.argv.slice(2),
);
