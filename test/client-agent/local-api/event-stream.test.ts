/** The event stream of one client: comments while nothing changes, and nothing said twice. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { streamEvents } from '../../../client-agent/src/local-api/event-stream.ts';

describe('event stream', () => {
  it('says that it is still there while nothing changes, until the client goes', async () => {
    const gone = Promise.withResolvers<void>();
    const source = {
      current: () => ({ state: 'connected' }),
      onChange: () => () => gone.resolve(),
    };
    const server = createServer((_request, response) => streamEvents(response, source, 1));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const call = request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port }).end();
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) {
      text += String(chunk);
      if (text.split(': still here\n\n').length > 3) break;
    }
    await gone.promise;
    server.close();
    assert.equal(text.split('event: status').length, 2);
    assert.match(text, /^event: status\ndata: \{"state":"connected"\}\n\n: still here\n\n/);
  });
});
