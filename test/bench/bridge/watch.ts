/** One stream, taken in whole, to see what a client is told of how it ended. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { takeId } from './load/client.ts';
import { requestHead, type Address } from './load/request-head.ts';
import { ResponseReader } from './load/response-reader.ts';
import { requestBody, type Script } from './script.ts';

export interface Watched {
  /** 0 when no reply came at all. */
  status: number;
  /** HTTP's own end came; without it a client's library reports a broken connection. */
  endedByHttp: boolean;
  /** `[DONE]` came last. */
  done: boolean;
  text: string;
}

export async function watch(address: Address, script: Script, timeoutMs: number): Promise<Watched> {
  const socket = connect({ host: '127.0.0.1', port: address.port, noDelay: true });
  const reader = new ResponseReader(undefined);
  let text = '';
  // 'close' follows, and what has come by then is the answer.
  socket.on('error', () => undefined);
  socket.on('data', (data: Buffer) => {
    text += data.toString();
    reader.push(data);
    if (reader.complete) socket.destroy();
  });
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  const body = requestBody(takeId(), script);
  socket.write(`${requestHead(address)}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  await once(socket, 'close');
  clearTimeout(timer);
  const { status, complete: endedByHttp, done } = reader;
  return { status, endedByHttp, done, text };
}
