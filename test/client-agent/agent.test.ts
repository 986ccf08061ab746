/** The agent on fakes: what happens when it is told things at awkward moments, and what listeners hear. */
import assert from 'node:assert/strict';
import { agentProfile } from '@hearth/protocol';
import type { AgentProfile } from '@hearth/protocol';
import { pino } from 'pino';
import { MockAgent } from 'undici';
import { Agent } from '../../client-agent/src/agent.ts';
import type { ProfileResult } from '../../client-agent/src/profile.ts';
import { TokenSource } from '../../client-agent/src/token-source.ts';
import { TunnelSession } from '../../client-agent/src/tunnel/session.ts';
import { FakeClock, FakeTunnel, makeProfile, settled } from './tunnel/fakes.ts';

const REFUSED: ProfileResult = {
  kind: 'refused',
  problem: { code: 'profile_mode', message: 'It can be read by others.', fix: 'chmod 600 it' },
};
const loaded = (profile: AgentProfile): ProfileResult => ({ kind: 'loaded', profile });
/** The same content, read once more. */
const again = (profile: AgentProfile) =>
  loaded(
    agentProfile.parse({
      ...profile,
      private_key: profile.private_key.reveal(),
      api_key: profile.api_key.reveal(),
    }),
  );

function makeAgent() {
  const world = { found: loaded(makeProfile()), reading: Promise.resolve() };
  const tunnel = new FakeTunnel();
  const opened: string[] = [];
  const clock = new FakeClock();
  const log = pino({ level: 'silent' });
  const openTunnel = (profile: AgentProfile) => {
    opened.push(profile.endpoint);
    return tunnel;
  };
  const probe = async () => {
    tunnel.rxBytes += 100;
    return { kind: 'answered' as const, rttMs: 3 };
  };
  const session = new TunnelSession({ openTunnel, probe, clock, log });
  const readProfile = async () => {
    await world.reading;
    return world.found;
  };
  const tokens = new TokenSource(new MockAgent(), clock);
  const agent = new Agent({ readProfile, openTunnel, session, tokens, clock, log });
  const heard: string[] = [];
  agent.onChange(() => {
    const { state, problem } = agent.status();
    const now = problem ? `${state} ${problem.code}` : state;
    if (heard.at(-1) !== now) heard.push(now);
  });
  return { agent, world, tunnel, opened, clock, heard };
}

describe('agent', () => {
  it('connects only when what an earlier agent left has been removed', async () => {
    const { agent, tunnel } = makeAgent();
    tunnel.exists = true;
    const removal = Promise.withResolvers<void>();
    tunnel.lowerHold = removal.promise;
    const starting = agent.start();
    const connecting = agent.connect();
    await settled();
    assert.equal(agent.status().state, 'disconnected');
    removal.resolve();
    await Promise.all([starting, connecting]);
    await settled();
    assert.equal(agent.status().state, 'connected');
    assert.ok(tunnel.exists);
  });

  it('disconnects when it is told to while connect still reads the profile', async () => {
    const { agent, world, tunnel } = makeAgent();
    await agent.start();
    const reading = Promise.withResolvers<void>();
    world.reading = reading.promise;
    const connecting = agent.connect();
    await agent.disconnect();
    reading.resolve();
    assert.equal((await connecting).state, 'disconnected');
    await settled();
    assert.deepEqual([agent.status().state, tunnel.exists], ['disconnected', false]);
  });

  it('does the last thing it was told: connect, disconnect, connect', async () => {
    const { agent } = makeAgent();
    await Promise.all([agent.start(), agent.connect(), agent.disconnect(), agent.connect()]);
    await settled();
    assert.equal(agent.status().state, 'connected');
  });

  it('does not connect any more once it ends', async () => {
    const { agent, tunnel } = makeAgent();
    await agent.start();
    const connecting = agent.connect();
    const ending = agent.end();
    await assert.rejects(connecting, { code: 'draining' });
    await ending;
    await assert.rejects(agent.connect(), { code: 'draining' });
    assert.equal(tunnel.exists, false);
  });

  it('tells listeners what the profile file has become', async () => {
    const { agent, world, heard, clock } = makeAgent();
    await agent.start();
    await clock.advance(5_000);
    world.found = REFUSED;
    await assert.rejects(agent.connect(), { code: 'not_enrolled', message: /chmod 600/ });
    assert.deepEqual(heard, ['disconnected', 'unenrolled profile_mode']);
    assert.equal(agent.status().since, new Date(clock.wall()).toISOString());
    world.found = { kind: 'none' };
    await assert.rejects(agent.connect(), { code: 'not_enrolled' });
    assert.deepEqual(heard.slice(2), ['unenrolled']);
  });

  it('takes another profile at once, and goes on with the same', async () => {
    const { agent, world, opened, heard } = makeAgent();
    const profile = makeProfile(undefined, '192.0.2.1:51820');
    world.found = loaded(profile);
    await agent.connect();
    await settled();
    world.found = again(profile);
    await agent.connect();
    await settled();
    assert.deepEqual(opened, ['192.0.2.1:51820']);

    world.found = loaded(makeProfile(undefined, '192.0.2.2:51820'));
    assert.deepEqual(
      [(await agent.connect()).state, agent.status().server],
      ['connecting', '192.0.2.2:51820'],
    );
    await settled();
    assert.deepEqual(opened, ['192.0.2.1:51820', '192.0.2.2:51820']);
    assert.deepEqual(heard, ['connecting', 'connected', 'connecting', 'connected']);
  });

  it('keeps a tunnel that is up when its profile goes bad, and says so', async () => {
    const { agent, world, tunnel } = makeAgent();
    await agent.connect();
    await settled();
    world.found = REFUSED;
    await assert.rejects(agent.connect(), { code: 'not_enrolled' });
    const status = agent.status();
    assert.deepEqual([status.state, status.problem?.code], ['connected', 'profile_mode']);
    assert.deepEqual([status.server, tunnel.exists], ['192.0.2.1:51820', true]);
    assert.equal((await agent.disconnect()).state, 'unenrolled');
  });

  it('gives a token only when connected', async () => {
    const { agent } = makeAgent();
    await agent.start();
    await assert.rejects(agent.token(false), { code: 'not_connected' });
  });
});
