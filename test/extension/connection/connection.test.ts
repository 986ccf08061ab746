import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { Secret } from '@hearth/protocol';
import { AgentClient } from '../../../extension/src/connection/agent-client.ts';
import { BridgeClient } from '../../../extension/src/connection/bridge-client.ts';
import type { CompletionBody } from '../../../extension/src/connection/bridge-client.ts';
import { Connection } from '../../../extension/src/connection/connection.ts';
import { Credentials } from '../../../extension/src/connection/credentials.ts';
import { FakeAgent } from '../fakes/fake-agent.ts';
import { FakeBridge, model } from '../fakes/fake-bridge.ts';

const never = new AbortController().signal;
const BODY: CompletionBody = {
  model: 'auto',
  prompt: 'a',
  suffix: '',
  max_tokens: 16,
  temperature: 0,
  hearth: { path: 'a.ts', language: 'typescript' },
};

/** A connection whose pauses are 20 ms at most, with what it logged and the key it finds. */
function connect(options: { socket?: string; bridgeUrl?: string }) {
  const logged: string[] = [];
  const log = (message: string) => void logged.push(message);
  const held: { key?: string } = {};
  const agent = options.socket === undefined ? undefined : new AgentClient(options.socket);
  const keyFor = () => Promise.resolve(held.key === undefined ? undefined : new Secret(held.key));
  const connection = new Connection({
    agent,
    bridge: new BridgeClient(),
    credentials: new Credentials(agent, keyFor, { now: () => performance.now(), wall: Date.now }),
    bridgeUrl: options.bridgeUrl ?? '',
    log: { debug: log, info: log, warn: log, error: log },
    wait: async (ms, signal) => {
      await sleep(Math.min(ms, 20), undefined, { signal }).catch(() => undefined);
    },
  });
  return { connection, logged, held };
}

/** Waits for the standing to be so, by its change events. */
async function standing(connection: Connection, wanted: string): Promise<void> {
  const changed = Promise.withResolvers<void>();
  const look = () => {
    const now = connection.standing;
    const said = now.kind === 'tunnelOff' ? now.why : now.kind;
    if (said === wanted) changed.resolve();
  };
  using _listening = connection.onDidChange(look);
  look();
  await changed.promise;
}

describe('connection', () => {
  it('without an agent goes to the address set, and shows who answered', async () => {
    await using bridge = await new FakeBridge().start();
    bridge.behaviour = { kind: 'answer', text: 'x' };
    using connection = connect({ bridgeUrl: bridge.url, socket: '/nonexistent/agent.sock' }).connection;
    await standing(connection, 'ready');
    assert.equal((await connection.complete(BODY, never)).kind, 'ok');
    const now = connection.standing;
    assert.equal(now.kind === 'ready' && now.answered?.gpu, 'rtx6000');
  });

  it('notices that the bridge goes and that it comes back, with no completion asked for', async () => {
    await using bridge = await new FakeBridge().start();
    using connection = connect({ bridgeUrl: bridge.url }).connection;
    await standing(connection, 'ready');
    await bridge.stop();
    await standing(connection, 'unreachable');
    await bridge.start();
    await standing(connection, 'ready');
  });

  it('asks for a key when one is needed, and goes on when it is set; no key is logged', async () => {
    await using bridge = await new FakeBridge().start();
    bridge.key = 'hk_1_secret';
    const { connection, held, logged } = connect({ bridgeUrl: bridge.url });
    using _ = connection;
    await standing(connection, 'unauthorised');
    held.key = 'hk_1_wrong';
    connection.keyChanged();
    await standing(connection, 'unauthorised');
    held.key = 'hk_1_secret';
    connection.keyChanged();
    await standing(connection, 'ready');
    assert.ok(!/hk_1/.test(logged.join('\n')));
  });

  it('with an agent goes through it, with its token, once the tunnel is up', async () => {
    await using bridge = await new FakeBridge().start();
    await using agent = await new FakeAgent().start();
    agent.bridgeUrl = bridge.url;
    bridge.key = agent.token;
    bridge.behaviour = { kind: 'answer', text: 'x' };
    const { connection, logged } = connect({ socket: agent.socketPath, bridgeUrl: 'http://127.0.0.1:9' });
    using _ = connection;
    await standing(connection, 'disconnected');
    assert.deepEqual(await connection.complete(BODY, never), { kind: 'cancelled' });
    assert.equal((await connection.connect(never)).kind, 'ok');
    await standing(connection, 'ready');
    assert.equal((await connection.complete(BODY, never)).kind, 'ok');
    const tokens = agent.calls.filter((call) => call.endsWith('/v1/token')).length;
    assert.equal(tokens, 1);
    assert.ok(!logged.join('\n').includes('token-1'));
    assert.equal((await connection.disconnect(never))?.kind, 'ok');
    await standing(connection, 'disconnected');
  });

  it('fetches a new token when the bridge refuses the old one, once', async () => {
    await using bridge = await new FakeBridge().start();
    await using agent = await new FakeAgent().start();
    agent.bridgeUrl = bridge.url;
    agent.state = 'connected';
    bridge.key = 'token-1';
    using connection = connect({ socket: agent.socketPath }).connection;
    await standing(connection, 'ready');
    bridge.key = agent.token = 'token-2';
    assert.equal((await connection.models(never)).kind, 'ok');
    bridge.key = 'token-3';
    assert.equal((await connection.models(never)).kind, 'unauthorised');
    assert.equal(connection.standing.kind, 'unauthorised');
  });

  it('tells a refused device from a bridge that isn’t there, when the agent gets no token', async () => {
    await using agent = await new FakeAgent().start();
    agent.state = 'connected';
    agent.refusal = 'invalid_api_key';
    using connection = connect({ socket: agent.socketPath }).connection;
    await standing(connection, 'unauthorised');
    agent.refusal = 'backend_lost';
    await standing(connection, 'unreachable');
  });

  it('asks for a token near its end only', async () => {
    await using bridge = await new FakeBridge().start();
    await using agent = await new FakeAgent().start();
    agent.bridgeUrl = bridge.url;
    agent.state = 'connected';
    agent.tokenSeconds = 5;
    using connection = connect({ socket: agent.socketPath }).connection;
    await standing(connection, 'ready');
    const count = () => agent.calls.filter((call) => call.endsWith('/v1/token')).length;
    const before = count();
    await connection.models(never);
    assert.ok(count() > before);
  });

  it('lets go of requests in flight the moment the agent says the tunnel is gone', async () => {
    await using bridge = await new FakeBridge().start();
    await using agent = await new FakeAgent().start();
    agent.bridgeUrl = bridge.url;
    agent.state = 'connected';
    bridge.behaviour = { kind: 'silent' };
    using connection = connect({ socket: agent.socketPath }).connection;
    await standing(connection, 'ready');
    const reply = connection.complete(BODY, never);
    while (bridge.seen.length === 0) await sleep(5);
    agent.state = 'reconnecting';
    assert.deepEqual(await reply, { kind: 'cancelled' });
    assert.equal(connection.standing.kind, 'connecting');
  });

  it('says that the agent stopped, and goes on when it is back', async () => {
    await using bridge = await new FakeBridge().start();
    await using agent = await new FakeAgent().start();
    agent.bridgeUrl = bridge.url;
    agent.state = 'connected';
    using connection = connect({ socket: agent.socketPath, bridgeUrl: bridge.url }).connection;
    await standing(connection, 'ready');
    await agent.stop();
    await standing(connection, 'agentStopped');
    await agent.start();
    await standing(connection, 'ready');
  });

  it('shows what the bridge says instead of an answer, and forgets it after the next', async () => {
    await using bridge = await new FakeBridge().start();
    using connection = connect({ bridgeUrl: bridge.url }).connection;
    await standing(connection, 'ready');
    bridge.behaviour = { kind: 'refuse', code: 'no_backend', message: 'coder-rtx: down' };
    const trouble = Promise.withResolvers<unknown>();
    using _listening = connection.onDidChange(() => {
      const now = connection.standing;
      if (now.kind === 'ready' && now.trouble !== undefined) trouble.resolve(now.trouble);
    });
    await connection.complete(BODY, never);
    assert.deepEqual(await trouble.promise, {
      code: 'no_backend',
      message: 'coder-rtx: down',
      asked: 'auto',
    });
    bridge.behaviour = { kind: 'answer', text: 'x' };
    await connection.complete(BODY, never);
    assert.equal(connection.standing.kind === 'ready' && connection.standing.trouble, undefined);
  });

  it('sends no code to a web server that is no bridge, not even while it refuses', async () => {
    await using bridge = await new FakeBridge().start();
    bridge.models = { code: 'not_found', message: 'There is nothing here.' };
    using connection = connect({ bridgeUrl: bridge.url }).connection;
    await standing(connection, 'notABridge');
    assert.deepEqual(await connection.complete(BODY, never), { kind: 'cancelled' });
    assert.equal(bridge.seen.length, 0);
    bridge.models = { code: 'draining', message: 'It is shutting down.' };
    await standing(connection, 'unreachable');
    assert.deepEqual(await connection.complete(BODY, never), { kind: 'cancelled' });
    assert.equal(bridge.seen.length, 0);
    bridge.models = [model('coder')];
    await standing(connection, 'ready');
    assert.equal((await connection.complete(BODY, never)).kind, 'ok');
    bridge.models = { code: 'draining', message: 'It is shutting down.' };
    assert.equal((await connection.models(never)).kind, 'refused');
    assert.equal(connection.standing.kind === 'ready' && connection.standing.trouble, undefined);
  });

  it('goes on without an agent that was never enrolled, when that one quits', async () => {
    await using bridge = await new FakeBridge().start();
    await using agent = await new FakeAgent().start();
    agent.state = 'unenrolled';
    const { connection, logged } = connect({ socket: agent.socketPath, bridgeUrl: bridge.url });
    using _ = connection;
    await standing(connection, 'ready');
    await agent.stop();
    while (connection.agentStatus !== undefined) await sleep(5);
    await standing(connection, 'ready');
    assert.equal((await connection.complete(BODY, never)).kind, 'ok', logged.join('\n'));
  });

  it('asks the agent first to connect, and goes on without it when that one is not enrolled', async () => {
    await using bridge = await new FakeBridge().start();
    await using agent = await new FakeAgent().start();
    agent.state = 'unenrolled';
    using direct = connect({ socket: agent.socketPath, bridgeUrl: bridge.url }).connection;
    await standing(direct, 'ready');
    agent.calls.length = 0;
    assert.equal((await direct.connect(never)).kind, 'ok');
    assert.ok(agent.calls.includes('POST /v1/connect'));
    using nowhere = connect({ socket: agent.socketPath }).connection;
    await standing(nowhere, 'nowhere');
    const reply = await nowhere.connect(never);
    assert.equal(reply.kind === 'failed' && reply.code, 'not_enrolled');
    // By now it has a profile.
    agent.state = 'disconnected';
    agent.bridgeUrl = bridge.url;
    assert.equal((await nowhere.connect(never)).kind, 'ok');
    await standing(nowhere, 'ready');
    using alone = connect({}).connection;
    const nothing = await alone.connect(never);
    assert.equal(nothing.kind === 'failed' && nothing.code, 'nowhere');
  });

  it('sends nothing into a silent tunnel, and goes on when it carries again', async () => {
    await using bridge = await new FakeBridge().start();
    await using agent = await new FakeAgent().start();
    agent.bridgeUrl = bridge.url;
    agent.state = 'connected';
    using connection = connect({ socket: agent.socketPath }).connection;
    await standing(connection, 'ready');
    bridge.behaviour = { kind: 'silent' };
    const hanging = connection.complete(BODY, never);
    agent.problem = { code: 'tunnel_silent', message: 'm', fix: 'f' };
    agent.state = 'degraded';
    await standing(connection, 'silent');
    assert.deepEqual(await hanging, { kind: 'cancelled' });
    agent.problem = undefined;
    agent.state = 'connected';
    await standing(connection, 'ready');
  });

  it('forgets that the fallback answered, once the models are listed as ready', async () => {
    await using bridge = await new FakeBridge().start();
    bridge.behaviour = { kind: 'answer', text: 'x', fallback: true };
    using connection = connect({ bridgeUrl: bridge.url }).connection;
    const answered = () => connection.standing.kind === 'ready' && connection.standing.answered?.fallback;
    await standing(connection, 'ready');
    bridge.models = [model('coder', 'fallback')];
    await connection.models(never);
    await connection.complete(BODY, never);
    await connection.models(never);
    assert.equal(answered(), true);
    bridge.models = [model('coder')];
    await connection.models(never);
    assert.equal(answered(), undefined);
  });

  it('is quiet after its end', async () => {
    await using bridge = await new FakeBridge().start();
    bridge.behaviour = { kind: 'silent' };
    const { connection } = connect({ bridgeUrl: bridge.url });
    await standing(connection, 'ready');
    const reply = connection.complete(BODY, never);
    connection[Symbol.dispose]();
    assert.deepEqual(await reply, { kind: 'cancelled' });
    assert.deepEqual(await connection.models(never), { kind: 'cancelled' });
  });
});
