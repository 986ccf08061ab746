/** The exchange of the API key for a token: kept until a minute before its end, shared, refused in named ways. */
import assert from 'node:assert/strict';
import { MockAgent } from 'undici';
import { TokenSource } from '../../client-agent/src/token-source.ts';
import { API_KEY, FakeClock, makeProfile } from './tunnel/fakes.ts';

const BRIDGE = 'http://10.77.0.1:8000';
const MINUTE = 60_000;

describe('token source', () => {
  let http: MockAgent;
  const clock = new FakeClock();
  beforeEach(() => {
    http = new MockAgent();
    http.disableNetConnect();
  });
  afterEach(() => http.close());

  const reply = (status: number, body: unknown, headers: Record<string, string> = {}) =>
    http
      .get(BRIDGE)
      .intercept({
        method: 'POST',
        path: '/hearth/v1/token',
        headers: { authorization: `Bearer ${API_KEY}` },
      })
      .reply(status, JSON.stringify(body), { headers });
  const tokenFor = (ms: number, token = 't') => ({
    token,
    expires_at: new Date(clock.wall() + ms).toISOString(),
  });

  it('keeps a token until a minute before its end', async () => {
    const source = new TokenSource(http, clock);
    const profile = makeProfile(BRIDGE);
    reply(200, tokenFor(15 * MINUTE, 'first'));
    assert.deepEqual(await source.get(profile), { ...tokenFor(15 * MINUTE, 'first'), bridge_url: BRIDGE });
    await clock.advance(14 * MINUTE - 1);
    assert.equal((await source.get(profile)).token, 'first');
    await clock.advance(1);
    reply(200, tokenFor(15 * MINUTE, 'second'));
    assert.equal((await source.get(profile)).token, 'second');
  });

  it('counts from receipt: a wall clock set back makes no token live longer, sleep makes none', async () => {
    for (const pass of [
      async () => {
        clock.shiftWall(-10 * MINUTE);
        await clock.advance(14 * MINUTE);
      },
      // The monotonic clock stands still while the PC sleeps.
      async () => clock.shiftWall(14 * MINUTE),
    ]) {
      const source = new TokenSource(http, clock);
      const profile = makeProfile(BRIDGE);
      reply(200, tokenFor(15 * MINUTE, 'first'));
      await source.get(profile);
      await pass();
      reply(200, tokenFor(15 * MINUTE, 'second'));
      assert.equal((await source.get(profile)).token, 'second');
    }
  });

  it('reckons the life by the clock of the bridge, when this one is wrong', async () => {
    const source = new TokenSource(http, clock);
    const profile = makeProfile(BRIDGE);
    const bridgeNow = clock.wall() + 60 * MINUTE;
    const expires_at = new Date(bridgeNow + 15 * MINUTE).toISOString();
    reply(200, { token: 'first', expires_at }, { date: new Date(bridgeNow).toUTCString() });
    await source.get(profile);
    await clock.advance(14 * MINUTE - 1);
    assert.equal((await source.get(profile)).token, 'first');
    await clock.advance(1);
    reply(200, tokenFor(15 * MINUTE, 'second'));
    assert.equal((await source.get(profile)).token, 'second');
  });

  it('asks anew when a fresh one is wanted, and keeps that', async () => {
    const source = new TokenSource(http, clock);
    const profile = makeProfile(BRIDGE);
    reply(200, tokenFor(15 * MINUTE, 'refused'));
    await source.get(profile);
    reply(200, tokenFor(15 * MINUTE, 'fresh'));
    assert.equal((await source.get(profile, true)).token, 'fresh');
    assert.equal((await source.get(profile)).token, 'fresh');
  });

  it('asks once for all who ask at once, and again for another profile', async () => {
    const source = new TokenSource(http, clock);
    const profile = makeProfile(BRIDGE);
    reply(200, tokenFor(15 * MINUTE, 'shared'));
    const tokens = await Promise.all([source.get(profile), source.get(profile), source.get(profile)]);
    assert.deepEqual(new Set(tokens.map(({ token }) => token)), new Set(['shared']));
    reply(200, tokenFor(15 * MINUTE, 'other'));
    assert.equal((await source.get(makeProfile(BRIDGE))).token, 'other');
  });

  it('says when the key is refused, and asks again the next time', async () => {
    const source = new TokenSource(http, clock);
    const profile = makeProfile(BRIDGE);
    reply(401, { error: {} });
    await assert.rejects(source.get(profile), { code: 'invalid_api_key' });
    reply(200, tokenFor(15 * MINUTE));
    assert.equal((await source.get(profile)).token, 't');
  });

  for (const [what, status, body] of [
    ['a failure', 500, {}],
    ['a page', 200, 'hello'],
    ['a token without an end', 200, { token: 't' }],
  ] as const)
    it(`has no token from ${what}, and never tells the key`, async () => {
      reply(status, body);
      await assert.rejects(new TokenSource(http, clock).get(makeProfile(BRIDGE)), (error) => {
        assert.ok(error instanceof Error && 'code' in error && error.code === 'backend_lost');
        assert.ok(!error.message.includes(API_KEY));
        return true;
      });
    });
});
