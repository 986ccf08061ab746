import assert from 'node:assert/strict';
import { AgentClient } from '../../../extension/src/connection/agent-client.ts';
import { Credentials } from '../../../extension/src/connection/credentials.ts';
import { FakeAgent } from '../fakes/fake-agent.ts';

const never = new AbortController().signal;
const AGENT = { kind: 'agent' } as const;

/** Credentials of an agent, on clocks that the test moves by hand; `wall` starts at the real time. */
function credentials(agent: FakeAgent) {
  const clock = { now: 0, wall: Date.now() };
  const made = new Credentials(new AgentClient(agent.socketPath), () => Promise.resolve(undefined), {
    now: () => clock.now,
    wall: () => clock.wall,
  });
  return { made, clock };
}

const asked = (agent: FakeAgent) => agent.calls.filter((call) => call === 'GET /v1/token').length;

describe('connection: credentials', () => {
  it('counts a token’s life from when it came, whatever the wall clock does', async () => {
    await using agent = await new FakeAgent().start();
    const { made, clock } = credentials(agent);
    await made.access(AGENT, never);
    clock.now = 860_000;
    clock.wall -= 3_600_000;
    await made.access(AGENT, never);
    assert.equal(asked(agent), 1);
    clock.now = 880_000;
    await made.access(AGENT, never);
    assert.equal(asked(agent), 2);
  });

  it('counts a sleep, in which only the wall clock went on', async () => {
    await using agent = await new FakeAgent().start();
    const { made, clock } = credentials(agent);
    await made.access(AGENT, never);
    clock.wall += 880_000;
    await made.access(AGENT, never);
    assert.equal(asked(agent), 2);
  });

  it('passes by what the agent keeps, once the bridge has refused it', async () => {
    await using agent = await new FakeAgent().start();
    const { made } = credentials(agent);
    await made.access(AGENT, never);
    agent.token = 'token-2';
    const kept = await made.access(AGENT, never);
    assert.equal(kept.kind === 'ok' && kept.access.secret?.reveal(), 'token-1');
    const fresh = await made.access(AGENT, never, true);
    assert.equal(fresh.kind === 'ok' && fresh.access.secret?.reveal(), 'token-2');
  });

  it('says with the agent’s code why there is no token', async () => {
    await using agent = await new FakeAgent().start();
    const { made } = credentials(agent);
    for (const [code, kind] of [
      ['invalid_api_key', 'unauthorised'],
      ['not_connected', 'unreachable'],
    ] as const) {
      agent.refusal = code;
      assert.deepEqual(await made.access(AGENT, never), { kind, code, message: 'No token.' });
    }
  });
});
