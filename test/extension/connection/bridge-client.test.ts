import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Secret } from '@hearth/protocol';
import { BridgeClient } from '../../../extension/src/connection/bridge-client.ts';
import type { CompletionBody } from '../../../extension/src/connection/bridge-client.ts';
import { FakeBridge } from '../fakes/fake-bridge.ts';

const never = new AbortController().signal;
const client = new BridgeClient();
const BODY: CompletionBody = {
  model: 'auto',
  prompt: 'a',
  suffix: 'b',
  max_tokens: 16,
  temperature: 0,
  hearth: { path: 'a.ts', language: 'typescript' },
};

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe('connection: bridge client', () => {
  it('gathers a streamed completion and says who answered, and how fast', async () => {
    await using bridge = await new FakeBridge().start();
    bridge.behaviour = { kind: 'answer', text: 'return «a» + b;', pieceMs: 5 };
    const reply = await client.complete({ url: `${bridge.url}/`, secret: undefined }, BODY, never);
    assert.ok(reply.kind === 'ok');
    assert.equal(reply.text, 'return «a» + b;');
    assert.deepEqual(reply.answer, {
      model: 'coder',
      backend: 'coder-rtx',
      gpu: 'rtx6000',
      fallback: false,
    });
    assert.ok(reply.firstTokenMs > 0 && reply.firstTokenMs < reply.totalMs);
    assert.deepEqual(bridge.seen[0]?.body, { ...BODY, stream: true });
    assert.equal(bridge.seen[0]?.authorization, undefined);
  });

  it('says that the fallback answered', async () => {
    await using bridge = await new FakeBridge().start();
    bridge.behaviour = { kind: 'answer', text: 'x', fallback: true };
    const reply = await client.complete({ url: bridge.url, secret: undefined }, BODY, never);
    assert.ok(reply.kind === 'ok' && reply.answer.fallback && reply.answer.backend === 'light-amd');
  });

  it('sends the key, and tells a refused one apart', async () => {
    await using bridge = await new FakeBridge().start();
    bridge.key = 'hk_1_good';
    const good = { url: bridge.url, secret: new Secret('hk_1_good') };
    const bad = { url: bridge.url, secret: new Secret('hk_1_bad') };
    assert.equal((await client.models(good, never)).kind, 'ok');
    const refused = await client.models(bad, never);
    assert.deepEqual(refused, {
      kind: 'unauthorised',
      code: 'invalid_api_key',
      message: 'A valid API key is needed.',
    });
    assert.equal((await client.complete(bad, BODY, never)).kind, 'unauthorised');
  });

  it('passes on what the bridge says instead of an answer', async () => {
    await using bridge = await new FakeBridge().start();
    bridge.behaviour = { kind: 'refuse', code: 'no_backend', message: 'coder-rtx: down' };
    assert.deepEqual(await client.complete({ url: bridge.url, secret: undefined }, BODY, never), {
      kind: 'refused',
      code: 'no_backend',
      message: 'coder-rtx: down',
    });
    bridge.behaviour = { kind: 'refuse', code: 'superseded', message: 'A newer request came.' };
    const superseded = await client.complete({ url: bridge.url, secret: undefined }, BODY, never);
    assert.deepEqual(superseded, { kind: 'cancelled' });
  });

  it('takes no broken-off answer for a whole one', async () => {
    await using bridge = await new FakeBridge().start();
    for (const kind of ['cut', 'lost'] as const) {
      bridge.behaviour = { kind };
      const reply = await client.complete({ url: bridge.url, secret: undefined }, BODY, never);
      assert.equal(reply.kind === 'refused' && reply.code, 'backend_lost', kind);
    }
  });

  it('says that nobody is there, or somebody else', async () => {
    const bridge = await new FakeBridge().start();
    await bridge.stop();
    const reply = await client.models({ url: bridge.url, secret: undefined }, never);
    assert.equal(reply.kind, 'unreachable');
    assert.match(reply.kind === 'unreachable' ? reply.message : '', /ECONNREFUSED/);
    assert.equal((await client.models({ url: 'nonsense', secret: undefined }, never)).kind, 'unreachable');
  });

  it('takes no other web server for a bridge, whatever it says', async () => {
    const replies: [status: number, type: string, body: string][] = [
      [200, 'text/html', '<!DOCTYPE html>'],
      [200, 'application/json', '{"object":"list","data":[{"id":"gpt"}]}'],
      [404, 'text/html', '<h1>Not found</h1>'],
      [401, 'text/html', 'Who are you?'],
      [500, 'application/json', '{"error":{"message":"oops","type":"x","code":null,"param":null}}'],
      [302, 'text/html', ''],
    ];
    for (const [status, type, body] of replies) {
      const server = createServer((_request, response) => {
        response.writeHead(status, { 'content-type': type, location: '/elsewhere' }).end(body);
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const reply = await client.models({ url, secret: new Secret('hk_1_mine') }, never);
      server.closeAllConnections();
      server.close();
      assert.equal(reply.kind === 'refused' && reply.code, 'not_a_bridge', `${status} ${body}`);
    }
  });

  it('sends its own headers and nothing of the environment', async () => {
    await using bridge = await new FakeBridge().start();
    const before = { ...process.env };
    Object.assign(process.env, {
      OPENAI_CUSTOM_HEADERS: 'x-other: secret-of-another\nauthorization: Bearer sk-other',
      OPENAI_API_KEY: 'sk-other',
      OPENAI_ADMIN_KEY: 'sk-other-admin',
      OPENAI_ORG_ID: 'org-other',
      OPENAI_PROJECT_ID: 'proj-other',
      OPENAI_BASE_URL: 'http://127.0.0.1:9/v1',
    });
    const mine = { url: bridge.url, secret: new Secret('hk_1_mine') };
    try {
      assert.equal((await client.models(mine, never)).kind, 'ok');
      assert.equal(bridge.headers.authorization, 'Bearer hk_1_mine');
      assert.ok(!/other|stainless|openai/i.test(JSON.stringify(bridge.headers)), 'list of models');
      await client.complete(mine, BODY, never);
      assert.equal(bridge.headers['content-type'], 'application/json');
      assert.ok(!/other|stainless|openai/i.test(JSON.stringify(bridge.headers)), 'completion');
      await client.models({ url: bridge.url, secret: undefined }, never);
      assert.equal(bridge.headers.authorization, undefined);
    } finally {
      for (const name of Object.keys(process.env))
        if (name.startsWith('OPENAI_')) Reflect.deleteProperty(process.env, name);
      Object.assign(process.env, before);
    }
  });

  it('ends the request on the server when it is cancelled, waiting or mid-stream', async () => {
    await using bridge = await new FakeBridge().start();
    for (const behaviour of [
      { kind: 'silent' } as const,
      { kind: 'answer', text: 'x'.repeat(500), pieceMs: 50 } as const,
    ]) {
      bridge.behaviour = behaviour;
      bridge.seen.length = 0;
      const stop = new AbortController();
      const reply = client.complete({ url: bridge.url, secret: undefined }, BODY, stop.signal);
      await until(() => bridge.seen.length === 1);
      stop.abort();
      assert.deepEqual(await reply, { kind: 'cancelled' });
      await until(() => bridge.seen[0]?.aborted === true);
    }
  });
});
