/** A TCP proxy before a model server, which breaks a connection when so many tokens have come through it. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface CutProxy extends AsyncDisposable {
  url: string;
  /** The next stream breaks off, by a reset or an end, after so many events with text; those before it aren't counted. */
  cutAfter: (events: number, how?: 'reset' | 'end') => void;
}

export async function startCutProxy(target: string): Promise<CutProxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let left = Infinity;
  let how: 'reset' | 'end' = 'reset';
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket
        .on('error', () => {})
        .once('close', () => {
          sockets.delete(socket);
          client.destroy();
          upstream.destroy();
        });
    }
    client.pipe(upstream);
    upstream.on('data', (bytes: Buffer) => {
      if (left === Infinity) {
        client.write(bytes);
        return;
      }
      // Event by event, so that what comes after the last one is never sent.
      const text = bytes.toString('latin1');
      let end = 0;
      for (const { index, 0: event } of text.matchAll(/^data: .*"(?:text|content)":"[^"].*$\n\n/gm)) {
        end = index + event.length;
        left--;
        if (left === 0) break;
      }
      client.write(left === 0 ? bytes.subarray(0, end) : bytes, () => {
        if (left > 0) return;
        left = Infinity;
        upstream.destroy();
        if (how === 'end') client.destroy();
        // A reset throws away what hasn't been read: a moment for that.
        else setTimeout(() => client.resetAndDestroy(), 50);
      });
      if (left === 0) upstream.removeAllListeners('data').resume();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter: (events, by = 'reset') => {
      left = events;
      how = by;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
