import assert from 'node:assert/strict';
import { bridgeStatus, type BridgeStatus } from '@hearth/protocol';
import { startBridge, twoBackends } from '../support/bridge.ts';
import { hangs, startFakeBackend } from '../support/fake-backend.ts';

/** Follows the bridge's events; `until` reads on to the first status that satisfies it. */
async function follow(url: string) {
  const reply = await fetch(`${url}/hearth/v1/events`);
  assert.equal(reply.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  assert.ok(reply.body);
  const text = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let buffered = '';
  return {
    until: async (satisfies: (status: BridgeStatus) => boolean): Promise<BridgeStatus | undefined> => {
      for (;;) {
        const end = buffered.indexOf('\n\n');
        if (end < 0) {
          const { value, done } = await text.read();
          if (done) return undefined;
          buffered += value;
          continue;
        }
        const data = /^data: (.*)$/m.exec(buffered.slice(0, end))?.[1];
        buffered = buffered.slice(end + 2);
        if (data === undefined) continue;
        const status = bridgeStatus.parse(JSON.parse(data));
        if (satisfies(status)) return status;
      }
    },
    cancel: async () => await text.cancel(),
  };
}

describe('bridge: events', () => {
  it('tell the whole status at once, then each change: work, a lost backend, the fallback; and end with the bridge', async () => {
    await using first = await startFakeBackend(hangs);
    await using second = await startFakeBackend();
    const bridge = await startBridge(twoBackends(first.url, second.url));
    const feed = await follow(bridge.url);
    const atOnce = await feed.until(() => true);
    assert.equal(atOnce?.models[0]?.hearth.state, 'ready');

    const client = new AbortController();
    const running = fetch(`${bridge.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ prompt: 'x', model: 'first' }),
      signal: client.signal,
    }).catch(() => undefined);
    assert.ok(await feed.until((status) => status.backends[0]?.in_flight === 1));
    client.abort();
    await running;
    assert.ok(await feed.until((status) => status.backends[0]?.in_flight === 0));

    await first[Symbol.asyncDispose]();
    const lost = await feed.until((status) => status.models[0]?.hearth.state === 'fallback');
    assert.equal(lost?.models[0]?.hearth.served_by, 'second');
    assert.match(lost?.backends[0]?.reason ?? '', /refused/);

    await bridge.close(0);
    assert.equal(await feed.until(() => false), undefined);
  });

  it('are forgotten when their reader leaves', async () => {
    await using first = await startFakeBackend();
    await using second = await startFakeBackend();
    await using bridge = await startBridge(twoBackends(first.url, second.url));
    for (let reader = 0; reader < 20; reader++) {
      const feed = await follow(bridge.url);
      await feed.until(() => true);
      await feed.cancel();
    }
    assert.equal((await fetch(`${bridge.url}/health`)).status, 200);
  });
});
