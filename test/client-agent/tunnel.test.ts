/** The agent as a process, over a real WireGuard tunnel between two namespaces, with a real line that breaks. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { agentStatus, agentToken, errorEnvelope } from '@hearth/protocol';
import type { AgentStatus } from '@hearth/protocol';
import { generateKeyPair } from 'wireguard-tools-wrapper/keys';
import { agentCommand, makeAgentHome, spawnAgent, startAgent } from '../support/agent-process.ts';
import type { AgentHome } from '../support/agent-process.ts';
import { argvOf, RunningCommand } from '../support/cli.ts';
import { makeNamespaces } from '../support/namespaces.ts';
import type { Namespaces } from '../support/namespaces.ts';
import { needs } from '../support/needs.ts';
import { startTunnelServer, writeProfile } from '../support/tunnel-server.ts';
import type { TunnelServer } from '../support/tunnel-server.ts';

const STAND_IN = fileURLToPath(new URL('./bridge-stand-in.ts', import.meta.url));
const API_KEY = 'hk_test_only-the-agent-knows-this';
const PORT = 8_000;

/** A GET on the local API, for what has no command of its own. */
function get(home: AgentHome, path: string): Promise<{ status: number | undefined; body: unknown }> {
  return new Promise((resolve, reject) => {
    request({ socketPath: home.socket, path, headers: { host: 'hearth-agent' } }, (reply) => {
      json(reply).then((body) => resolve({ status: reply.statusCode, body }), reject);
    })
      .on('error', reject)
      .end();
  });
}

/** Every command line on the machine that has one of the secrets in it. */
function commandLinesWith(secrets: readonly string[]): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        // It ended between being listed and being read.
        return '';
      }
    })
    .filter((line) => secrets.some((secret) => line.includes(secret)));
}

describe('hearth-agent over a real tunnel', function () {
  this.timeout(60_000);
  let net: Namespaces;
  let home: AgentHome;
  let server: TunnelServer;
  let agent: RunningCommand;

  before(function () {
    needs(this, 'root', 'namespaces', 'wireguard');
  });
  beforeEach(async () => {
    net = await makeNamespaces();
    home = await makeAgentHome();
    server = await startTunnelServer(net);
    const bridge = net.spawn('server', [
      process.execPath,
      STAND_IN,
      server.serverAddress,
      String(PORT),
      API_KEY,
    ]);
    await new RunningCommand(bridge).prints(/listening/);
    await profile();
  });
  afterEach(async () => {
    await net?.[Symbol.asyncDispose]();
    await home?.[Symbol.asyncDispose]();
  });

  const profile = (change: Partial<Parameters<typeof writeProfile>[1]> = {}) =>
    writeProfile(home.configHome, {
      ...server.profile,
      bridge_url: `http://${server.serverAddress}:${PORT}`,
      api_key: API_KEY,
      ...change,
    });
  const ask = (...args: string[]) => agentCommand(net, home, ...args);
  const status = async () => agentStatus.parse(JSON.parse((await ask('status', '--json')).stdout));
  const interfaces = async () => (await net.exec('client', ['ip', '-brief', 'link'])).stdout;
  const watched = (watch: RunningCommand): AgentStatus[] =>
    watch.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => agentStatus.parse(JSON.parse(line)));
  const statesOf = (watch: RunningCommand) =>
    watched(watch)
      .map(({ state }) => state)
      .filter((state, index, all) => state !== all[index - 1]);

  it('connects, gives a token, survives a dead line, and disconnects', async () => {
    agent = await startAgent(net, home);
    const secrets = [server.profile.private_key, API_KEY];
    const connecting = ask('connect');
    const sampling = new AbortController();
    const sampled: string[] = [];
    const sampler = (async () => {
      // The bridge stand-in is told the API key on its command line; it is not the agent's doing.
      while (!sampling.signal.aborted) {
        sampled.push(...commandLinesWith(secrets).filter((line) => !line.includes(STAND_IN)));
        await sleep(2);
      }
    })();
    const connected = await connecting;
    sampling.abort();
    await sampler;
    assert.deepEqual(sampled, []);
    assert.deepEqual([connected.code, connected.stderr], [0, '']);
    assert.match(connected.stdout, /^Connected to 10\.200\.0\.1:51820 as 10\.77\.0\.2\.$/m);

    const now = await status();
    assert.equal(now.state, 'connected');
    assert.equal(now.address, server.clientAddress);
    assert.equal(now.server, server.profile.endpoint);
    assert.ok(now.handshake_age_s !== null && now.handshake_age_s < 30);
    assert.ok(now.rx_bytes > 0 && now.tx_bytes > 0 && now.rtt_ms !== null && now.rtt_ms > 0);
    assert.equal(now.problem, undefined);
    const routes = await net.exec('client', ['ip', 'route', 'show', 'dev', server.profile.interface ?? '']);
    assert.equal(routes.stdout.trim(), `${server.serverAddress} scope link`);

    const token = await get(home, '/v1/token');
    assert.equal(agentToken.parse(token.body).token, 'short-lived');
    assert.equal(agentToken.parse(token.body).bridge_url, `http://${server.serverAddress}:${PORT}`);

    const watch = spawnAgent(net, home, 'status', '--json', '--watch');
    await watch.prints(/"connected"/);
    await net.cut();
    await watch.prints(/"degraded".*"tunnel_silent"/);
    await watch.prints(/"reconnecting".*"tunnel_silent"/);
    const gone = await get(home, '/v1/token');
    assert.deepEqual([gone.status, errorEnvelope.parse(gone.body).error.code], [503, 'not_connected']);
    await net.restore();
    await watch.prints(/"reconnecting"[^]*"connected"/);
    // On a loaded machine a slow answer may add a moment of `degraded` before or after.
    assert.match(statesOf(watch).join(' '), /connected degraded reconnecting connected/);

    const disconnected = await ask('disconnect');
    assert.deepEqual([disconnected.code, disconnected.stdout], [0, 'Disconnected.\n']);
    assert.ok(!(await interfaces()).includes(server.profile.interface ?? ''));
    await watch.prints(/"disconnected"/);
    assert.equal((await status()).state, 'disconnected');

    agent.child.kill('SIGTERM');
    const end = await agent.finished;
    assert.equal(end.code, 0);
    assert.equal((await watch.finished).code, 3);
    assert.equal((await ask('status')).code, 3);
    for (const secret of secrets) assert.ok(!`${end.stdout}${end.stderr}${watch.stdout}`.includes(secret));
  });

  it('never takes a server with another key for its own', async () => {
    await profile({ server_public_key: generateKeyPair().publicKey });
    agent = await startAgent(net, home);
    const watch = spawnAgent(net, home, 'status', '--json', '--watch');
    await watch.prints(/\n/);
    const connected = await ask('connect');
    assert.equal(connected.code, 1);
    assert.match(
      connected.stderr,
      /The server does not answer\.\n {2}What to do: .*\n {2}The agent keeps trying/,
    );
    const now = await status();
    assert.deepEqual([now.state, now.problem?.code], ['reconnecting', 'no_handshake']);
    assert.deepEqual(statesOf(watch), ['disconnected', 'connecting', 'reconnecting']);

    // The corrected file counts at once, while the agent still tries the other.
    await profile();
    assert.equal((await ask('connect')).code, 0);
    assert.deepEqual(statesOf(watch).slice(3), ['connecting', 'connected']);
  });

  it('says that the bridge is not there when only the tunnel is', async () => {
    await profile({ bridge_url: `http://${server.serverAddress}:${PORT + 1}` });
    agent = await startAgent(net, home);
    const watch = spawnAgent(net, home, 'status', '--json', '--watch');
    const connecting = spawnAgent(net, home, 'connect');
    await watch.prints(/"connecting".*"bridge_unreachable"/);
    assert.equal((await ask('disconnect')).code, 0);
    assert.equal((await connecting.finished).code, 1);
  });

  it('says degraded and why soon after the line is cut', async () => {
    agent = await startAgent(net, home);
    assert.equal((await ask('connect')).code, 0);
    await net.cut();
    // That it takes less than 5 s is shown on a clock of its own in the session's test.
    const state = async () => agentStatus.parse((await get(home, '/v1/status')).body);
    let now = await state();
    while (now.state === 'connected') {
      await sleep(20);
      now = await state();
    }
    assert.deepEqual([now.state, now.problem?.code], ['degraded', 'tunnel_silent']);
  });

  it('speaks JSON, and takes the tunnel down when its terminal is closed', async () => {
    agent = await startAgent(net, home);
    const up = await ask('connect', '--json');
    assert.deepEqual([up.code, agentStatus.parse(JSON.parse(up.stdout)).state], [0, 'connected']);
    const down = await ask('disconnect', '--json');
    assert.deepEqual([down.code, agentStatus.parse(JSON.parse(down.stdout)).state], [0, 'disconnected']);

    assert.equal((await ask('connect')).code, 0);
    agent.child.kill('SIGHUP');
    assert.equal((await agent.finished).code, 0);
    assert.ok(!(await interfaces()).includes(server.profile.interface ?? ''));
  });

  it('names an address that is no network, and makes nothing', async () => {
    await profile({ allowed_ips: [`${server.serverAddress}/24`] });
    agent = await startAgent(net, home);
    const refused = await ask('connect', '--json');
    const now = agentStatus.parse(JSON.parse(refused.stdout));
    assert.deepEqual([refused.code, now.state, now.problem?.code], [1, 'disconnected', 'profile_invalid']);
    assert.match(refused.stderr, /10\.77\.0\.1\/24 is an address within a network/);
    assert.ok(!(await interfaces()).includes(server.profile.interface ?? ''));
  });

  it('starts again after kill -9, and takes away what was left', async () => {
    agent = await startAgent(net, home);
    assert.equal((await ask('connect')).code, 0);
    agent.child.kill('SIGKILL');
    await agent.finished;
    assert.ok((await interfaces()).includes(server.profile.interface ?? ''));
    assert.equal((await ask('status')).code, 3);

    const second = await startAgent(net, home);
    assert.ok(!(await interfaces()).includes(server.profile.interface ?? ''));
    assert.equal((await ask('connect')).code, 0);

    const third = spawnAgent(net, home, 'run', '--no-tray');
    const refused = await third.finished;
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /running already/);
    assert.equal((await status()).state, 'connected');

    second.child.kill('SIGINT');
    assert.equal((await second.finished).code, 0);
    assert.ok(!(await interfaces()).includes(server.profile.interface ?? ''));
  });

  it('says what it lacks: a profile, its mode, an interface name that is taken, a right', async () => {
    const path = await profile();
    await chmod(path, 0o644);
    agent = await startAgent(net, home);
    const refused = await ask('connect');
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /What to do: chmod 600 /);
    assert.equal((await ask('status')).code, 3);

    await chmod(path, 0o600);
    const name = server.profile.interface ?? '';
    await net.exec('client', ['ip', 'tuntap', 'add', name, 'mode', 'tun']);
    const taken = await ask('connect');
    assert.equal(taken.code, 1);
    assert.match(taken.stderr, /exists already/);
    assert.ok((await interfaces()).includes(name));
    await net.exec('client', ['ip', 'link', 'del', name]);

    agent.child.kill('SIGTERM');
    await agent.finished;
    const weak = net.spawn(
      'client',
      ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin', ...argvOf('hearth-agent', 'run')],
      { env: home.env },
    );
    await new RunningCommand(weak).prints(/ready/);
    const forbidden = await ask('connect');
    assert.equal(forbidden.code, 1);
    assert.match(forbidden.stderr, /What to do: .*CAP_NET_ADMIN/);
  });
});
