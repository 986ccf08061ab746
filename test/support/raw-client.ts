/** A client by its bare socket, for tests of when it leaves and how fast it reads. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Sends a request and reads nothing of the reply by itself: the socket is paused. */
export async function sendRaw(
  url: string,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // Whoever cuts it off is for the test to judge.
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.pause();
  const text = JSON.stringify(body);
  const lines = [
    `POST ${path} HTTP/1.1`,
    'host: test',
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(text)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n${text}`);
  return socket;
}

/** Reads until that has come, or to the end, and gives everything. */
export async function readUntil(socket: Socket, wanted?: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let text = '';
  const take = (bytes: Buffer) => {
    text += bytes.toString();
    if (wanted !== undefined && text.includes(wanted)) resolve();
  };
  socket.on('data', take).once('close', resolve).resume();
  await promise;
  socket.off('data', take).pause();
  return text;
}
