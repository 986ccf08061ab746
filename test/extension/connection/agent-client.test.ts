import assert from 'node:assert/strict';
import { AgentClient } from '../../../extension/src/connection/agent-client.ts';
import { FakeAgent } from '../fakes/fake-agent.ts';

const never = new AbortController().signal;

describe('connection: agent client', () => {
  it('calls as the contract wants it: its own Host, no Origin, no Referer', async () => {
    await using agent = await new FakeAgent().start();
    const client = new AgentClient(agent.socketPath);
    const status = await client.status(never);
    assert.equal(status.kind, 'ok');
    assert.equal(status.kind === 'ok' && status.value.state, 'disconnected');
    assert.equal(agent.headers.host, 'hearth-agent');
    assert.equal('origin' in agent.headers || 'referer' in agent.headers, false);
    assert.equal((await client.connect(never)).kind, 'ok');
    const token = await client.token(never, false);
    assert.equal(token.kind === 'ok' && token.value.token, 'token-1');
    assert.equal(agent.headers['cache-control'], undefined);
    assert.equal((await client.disconnect(never)).kind, 'ok');
    assert.deepEqual(agent.calls, [
      'GET /v1/status',
      'POST /v1/connect',
      'GET /v1/token',
      'POST /v1/disconnect',
    ]);
  });

  it('asks for a token that was not given out before', async () => {
    await using agent = await new FakeAgent().start();
    await new AgentClient(agent.socketPath).token(never, true);
    assert.equal(agent.headers['cache-control'], 'no-cache');
  });

  it('passes on why the agent refuses', async () => {
    await using agent = await new FakeAgent().start();
    agent.state = 'unenrolled';
    const reply = await new AgentClient(agent.socketPath).connect(never);
    assert.deepEqual(reply, { kind: 'failed', code: 'not_enrolled', message: 'There is no profile.' });
  });

  it('says that nobody is there', async () => {
    const client = new AgentClient('/nonexistent/agent.sock');
    assert.deepEqual(await client.status(never), { kind: 'absent' });
    assert.deepEqual(await client.events(never, () => undefined), { kind: 'absent' });
  });

  it('follows the state, and ends with the agent or when told to', async () => {
    await using agent = await new FakeAgent().start();
    const client = new AgentClient(agent.socketPath);
    const states: string[] = [];
    const ended = client.events(never, ({ state }) => {
      states.push(state);
      if (state === 'disconnected') agent.state = 'connected';
      else void agent.stop();
    });
    assert.deepEqual(await ended, { kind: 'ended' });
    assert.deepEqual(states, ['disconnected', 'connected']);

    await agent.start();
    const stop = new AbortController();
    assert.deepEqual(await client.events(stop.signal, () => stop.abort()), { kind: 'ended' });
  });

  it('lets go at once of a call that is cancelled', async () => {
    await using agent = await new FakeAgent().start();
    agent.silent = true;
    const stop = new AbortController();
    const call = new AgentClient(agent.socketPath).status(stop.signal);
    stop.abort();
    assert.deepEqual(await call, { kind: 'cancelled' });
  });

  it('gives up on an agent that doesn’t answer', async () => {
    await using agent = await new FakeAgent().start();
    agent.silent = true;
    const reply = await new AgentClient(agent.socketPath).status(never);
    assert.equal(reply.kind, 'failed');
    assert.match(reply.kind === 'failed' ? reply.message : '', /did not answer within 3 s/);
  });
});
