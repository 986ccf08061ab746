/** The local API: its answers, who is refused, what its socket looks like, and that no secret leaves it. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { agentStatus, agentToken, errorEnvelope } from '@hearth/protocol';
import type { AgentStatus } from '@hearth/protocol';
import { pino } from 'pino';
import { Agent as HttpAgent } from 'undici';
import { Agent } from '../../../client-agent/src/agent.ts';
import { AgentClient } from '../../../client-agent/src/local-api/client.ts';
import { buildLocalApi } from '../../../client-agent/src/local-api/server.ts';
import { claimSocket, listenOn } from '../../../client-agent/src/local-api/socket.ts';
import type { ProfileResult } from '../../../client-agent/src/profile.ts';
import { TokenSource } from '../../../client-agent/src/token-source.ts';
import { TunnelSession } from '../../../client-agent/src/tunnel/session.ts';
import { API_KEY, FakeClock, FakeTunnel, makeProfile, settled } from '../tunnel/fakes.ts';

type LocalApi = ReturnType<typeof buildLocalApi>;
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS';

const HOST = { host: 'hearth-agent' };

describe('local API', () => {
  let folder: string;
  let socket: string;
  let api: LocalApi;
  let found: ProfileResult;
  let tunnel: FakeTunnel;
  let http: HttpAgent;
  let logged: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-api-'));
    socket = join(folder, 'run', 'agent.sock');
    logged = '';
    found = { kind: 'loaded', profile: makeProfile() };
    tunnel = new FakeTunnel();
    http = new HttpAgent();
    api = build();
  });
  afterEach(async () => {
    await api.close();
    await http.destroy();
    await rm(folder, { recursive: true });
  });

  function build(): LocalApi {
    const sink = new Writable({
      write(chunk, _encoding, done) {
        logged += String(chunk);
        done();
      },
    });
    const log = pino({ level: 'trace' }, sink);
    const clock = new FakeClock();
    const openTunnel = () => tunnel;
    const session = new TunnelSession({
      openTunnel,
      clock,
      log,
      probe: async () => {
        tunnel.rxBytes += 50;
        return { kind: 'answered', rttMs: 2 };
      },
    });
    const tokens = new TokenSource(http, clock);
    const agent = new Agent({ readProfile: async () => found, openTunnel, session, tokens, clock, log });
    return buildLocalApi(agent, log);
  }

  const ask = async (options: { method?: Method; url: string; headers?: Record<string, string> }) => {
    const reply = await api.inject({ headers: HOST, ...options });
    return { status: reply.statusCode, body: reply.json<unknown>(), text: reply.body };
  };
  const code = (body: unknown) => errorEnvelope.parse(body).error.code;

  it('connects, says so, and disconnects', async () => {
    assert.equal(
      agentStatus.parse((await ask({ method: 'POST', url: '/v1/connect' })).body).state,
      'connecting',
    );
    await settled();
    const status = agentStatus.parse((await ask({ url: '/v1/status' })).body);
    assert.equal(status.state, 'connected');
    assert.equal(status.address, '10.77.0.2');
    assert.equal(status.rx_bytes, 50);
    const after = agentStatus.parse((await ask({ method: 'POST', url: '/v1/disconnect' })).body);
    assert.equal(after.state, 'disconnected');
    assert.equal(tunnel.exists, false);
  });

  it('is unenrolled without a profile, and says why one is refused', async () => {
    found = { kind: 'none' };
    const none = await ask({ method: 'POST', url: '/v1/connect' });
    assert.deepEqual([none.status, code(none.body)], [409, 'not_enrolled']);
    found = { kind: 'refused', problem: { code: 'profile_mode', message: 'open', fix: 'chmod 600 it' } };
    const refused = await ask({ method: 'POST', url: '/v1/connect' });
    assert.match(errorEnvelope.parse(refused.body).error.message, /chmod 600 it/);
    const status = agentStatus.parse((await ask({ url: '/v1/status' })).body);
    assert.deepEqual([status.state, status.problem?.code], ['unenrolled', 'profile_mode']);
  });

  const intruders: [string, Record<string, string>][] = [
    ['a web page', { ...HOST, origin: 'https://example.org' }],
    ['an opaque web page', { ...HOST, origin: 'null' }],
    ['an empty origin', { ...HOST, origin: '' }],
    ['a followed link', { ...HOST, referer: 'https://example.org/page' }],
    ['another host', { host: 'localhost' }],
    ['a rebound name', { host: 'hearth-agent.example.org' }],
    ['the host with a port', { host: 'hearth-agent:80' }],
  ];
  const targets: [Method, string][] = [
    ['GET', '/v1/status'],
    ['GET', '/v1/token'],
    ['GET', '/v1/events'],
    ['POST', '/v1/connect'],
    ['POST', '/v1/disconnect'],
    ['OPTIONS', '/v1/connect'],
    ['GET', '/nowhere'],
  ];
  for (const [who, headers] of intruders)
    it(`refuses ${who} everywhere`, async () => {
      for (const [method, url] of targets) {
        const reply = await ask({ method, url, headers });
        assert.deepEqual([reply.status, code(reply.body)], [403, 'forbidden'], `${method} ${url}`);
      }
      assert.equal(tunnel.exists, false);
    });

  it('has no other routes and methods', async () => {
    for (const [method, url] of [
      ['GET', '/v1/connect'],
      ['DELETE', '/v1/status'],
      ['PUT', '/v1/disconnect'],
      ['GET', '/'],
    ] as const)
      assert.equal((await ask({ method, url })).status, 404, `${method} ${url}`);
  });

  it('gives no token without a tunnel', async () => {
    const reply = await ask({ url: '/v1/token' });
    assert.deepEqual([reply.status, code(reply.body)], [503, 'not_connected']);
  });

  it('gives the kept token again, but not to a client that says no-cache', async () => {
    let exchanges = 0;
    const bridge = createServer((_request, response) => {
      exchanges += 1;
      const expires_at = new Date(Date.now() + 900_000).toISOString();
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ token: `t${exchanges}`, expires_at }));
    });
    await new Promise<void>((resolve) => bridge.listen(0, '127.0.0.1', resolve));
    const profile = makeProfile(`http://127.0.0.1:${(bridge.address() as AddressInfo).port}`);
    found = { kind: 'loaded', profile };
    await ask({ method: 'POST', url: '/v1/connect' });
    await settled();
    const token = async (headers: Record<string, string>) => {
      const { body } = await ask({ url: '/v1/token', headers: { ...HOST, ...headers } });
      return agentToken.parse(body).token;
    };
    const given = [
      await token({}),
      await token({ 'cache-control': 'max-age=0' }),
      await token({ 'cache-control': 'No-Cache' }),
      await token({}),
      await token({ 'cache-control': 'no-store, no-cache' }),
    ];
    bridge.closeAllConnections();
    await new Promise((resolve) => bridge.close(resolve));
    assert.deepEqual(given, ['t1', 't1', 't2', 't2', 't3']);
  });

  it('tells no secret in any answer or log line', async () => {
    const bridge = createServer((_request, response) => response.writeHead(401).end('{}'));
    await new Promise<void>((resolve) => bridge.listen(0, '127.0.0.1', resolve));
    const profile = makeProfile(`http://127.0.0.1:${(bridge.address() as AddressInfo).port}`);
    found = { kind: 'loaded', profile };
    const answers: string[] = [];
    for (const [method, url] of targets)
      if (url !== '/v1/events') answers.push((await ask({ method, url })).text);
    await ask({ method: 'POST', url: '/v1/connect' });
    await settled();
    const refused = await ask({ url: '/v1/token' });
    assert.deepEqual([refused.status, code(refused.body)], [401, 'invalid_api_key']);
    answers.push(refused.text);
    await new Promise((resolve) => bridge.close(resolve));
    assert.match(logged, /connecting/);
    for (const secret of [API_KEY, profile.private_key.reveal()])
      assert.ok(!`${answers.join(' ')}${logged}`.includes(secret));
  });

  it('streams the status at once and after each change, over a socket for this user alone', async () => {
    using _claim = await claimSocket(socket);
    await listenOn(api, socket);
    const modes = [await stat(join(folder, 'run')), await stat(socket)].map(({ mode }) => mode & 0o777);
    assert.deepEqual(modes, [0o700, 0o600]);

    await using listener = new AgentClient(socket);
    await using speaker = new AgentClient(socket);
    const states: AgentStatus['state'][] = [];
    for await (const status of listener.events()) {
      if (states.at(-1) !== status.state) states.push(status.state);
      if (states.length === 1) await speaker.connect();
      if (status.state === 'connected') void speaker.disconnect();
      if (states.length > 1 && status.state === 'disconnected') break;
    }
    assert.deepEqual(states, ['unenrolled', 'connecting', 'connected', 'disconnected']);
  });

  it('ends the events when the agent ends', async () => {
    using _claim = await claimSocket(socket);
    await listenOn(api, socket);
    await using client = new AgentClient(socket);
    let count = 0;
    for await (const _status of client.events()) {
      count += 1;
      await api.close();
    }
    assert.equal(count, 1);
  });
});
