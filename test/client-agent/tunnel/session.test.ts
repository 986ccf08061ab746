/** The session on fakes: effects reach the tunnel in order, and disconnect wins over whatever is under way. */
import assert from 'node:assert/strict';
import { pino } from 'pino';
import type { ProbeResult } from '../../../client-agent/src/tunnel/ports.ts';
import { ANSWER_MS } from '../../../client-agent/src/tunnel/bridge-probe.ts';
import { TIMING } from '../../../client-agent/src/tunnel/machine.ts';
import { TunnelSession } from '../../../client-agent/src/tunnel/session.ts';
import { FakeClock, FakeTunnel, makeProfile, settled } from './fakes.ts';

function makeSession() {
  const tunnel = new FakeTunnel();
  const clock = new FakeClock();
  const world = { answers: true, lateMs: 0 };
  const probe = async (): Promise<ProbeResult> => {
    if (world.lateMs > 0) await new Promise<void>((resolve) => clock.after(world.lateMs, resolve));
    if (!world.answers) return { kind: 'silent', reason: 'no answer in time' };
    tunnel.rxBytes += 100;
    return { kind: 'answered', rttMs: 3 };
  };
  const log = pino({ level: 'silent' });
  const session = new TunnelSession({ openTunnel: () => tunnel, probe, clock, log });
  const seen: string[] = [];
  session.onChange(() => {
    if (seen.at(-1) !== session.state.reported) seen.push(session.state.reported);
  });
  return { session, tunnel, clock, world, seen };
}

describe('tunnel session', () => {
  it('connects, loses the line, reconnects, disconnects', async () => {
    const { session, tunnel, clock, world, seen } = makeSession();
    session.connect(makeProfile());
    await settled();
    world.answers = false;
    for (let second = 0; second < 25; second += 1) await clock.advance(1_000);
    assert.ok(tunnel.endpointResets >= 2);
    world.answers = true;
    await clock.advance(TIMING.degraded);
    await session.disconnect();
    assert.deepEqual(seen, [
      'connecting',
      'connected',
      'degraded',
      'reconnecting',
      'connected',
      'disconnected',
    ]);
    assert.equal(tunnel.exists, false);
  });

  it('says disconnected at once, and ends a raising that hangs', async () => {
    const { session, tunnel } = makeSession();
    tunnel.hold = new Promise(() => {});
    session.connect(makeProfile());
    await settled();
    assert.ok(tunnel.exists);
    const done = session.disconnect();
    assert.equal(session.state.reported, 'disconnected');
    await done;
    assert.equal(tunnel.exists, false);
    assert.equal(session.state.link, 'down');
  });

  it('connects again after a disconnect that is not finished yet', async () => {
    const { session, tunnel } = makeSession();
    session.connect(makeProfile());
    await settled();
    const done = session.disconnect();
    session.connect(makeProfile());
    await done;
    await settled();
    assert.equal(session.state.reported, 'connected');
    assert.ok(tunnel.exists);
  });

  it('says why the interface stays, and tries again', async () => {
    const { session, tunnel, clock } = makeSession();
    session.connect(makeProfile());
    await settled();
    tunnel.stuck = { code: 'command_failed', message: 'busy', fix: 'wait' };
    await session.disconnect();
    assert.equal(session.state.problem?.code, 'command_failed');
    tunnel.stuck = null;
    await clock.advance(TIMING.lowerAgain);
    assert.equal(tunnel.exists, false);
    assert.equal(session.state.problem, null);
  });

  it('says degraded within 5 s of the cut, with the silence named', async () => {
    const { session, clock, world } = makeSession();
    session.connect(makeProfile());
    await settled();
    assert.equal(session.state.reported, 'connected');
    // The worst moment: a measurement has just ended well, and the next probe takes its whole time.
    world.answers = false;
    world.lateMs = ANSWER_MS;
    let elapsed = 0;
    while (session.state.reported === 'connected') {
      await clock.advance(100);
      elapsed += 100;
    }
    assert.ok(elapsed < 5_000, `${elapsed} ms`);
    assert.deepEqual([session.state.reported, session.state.problem?.code], ['degraded', 'tunnel_silent']);
    await session.disconnect();
  });

  it('replaces the tunnel for another profile, and leaves it for the same', async () => {
    const { session, tunnel, seen } = makeSession();
    const profile = makeProfile();
    session.connect(profile);
    await settled();
    session.connect(profile);
    assert.deepEqual([session.state.attempt, session.state.reported], [1, 'connected']);
    session.connect(makeProfile());
    await settled();
    assert.deepEqual([session.state.attempt, session.state.reported], [2, 'connected']);
    assert.deepEqual(seen, ['connecting', 'connected', 'connecting', 'connected']);
    assert.ok(tunnel.exists);
  });

  it('remembers when the state was entered', async () => {
    const { session, clock } = makeSession();
    session.connect(makeProfile());
    await settled();
    const since = session.since;
    await clock.advance(TIMING.connected);
    assert.equal(session.since, since);
    await clock.advance(1);
    void session.disconnect();
    assert.equal(session.since, since + TIMING.connected + 1);
  });
});
