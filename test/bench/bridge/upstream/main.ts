/** The scripted upstream as a process: OpenAI's API on a loopback port, its behaviour in each request's prompt. */
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { nowUs } from '../clock.ts';
import { findScript } from '../script.ts';
import { HEALTHY, MODELS, NOT_FOUND, probeReply } from './frames.ts';
import type { UpstreamNews, UpstreamQuestion } from './news.ts';
import { RequestReader, type Request } from './request-reader.ts';
import { startStream, stopStream, type Stream } from './streams.ts';

/** When the connection of an unfinished stream went, by the stream's id. */
const closedUs = new Map<number, number>();
let served = 0;

const tell = (news: UpstreamNews) => process.send?.(news);

const server = createServer({ noDelay: true }, (socket) => {
  const reader = new RequestReader();
  let current: Stream | undefined;
  const gone = () => {
    if (current === undefined) return;
    stopStream(current);
    if (current.cutAfter === 0) closedUs.set(current.id, nowUs());
    current = undefined;
  };
  socket.on('data', (data: Buffer) => {
    for (const request of reader.push(data))
      current = answer(socket, request, () => {
        current = undefined;
      });
  });
  // Whichever shows first that the other side has gone.
  socket.on('end', gone).on('close', gone).on('error', gone);
});

function answer(socket: Socket, { method, path, body }: Request, onEnd: () => void): Stream | undefined {
  if (method === 'GET') {
    socket.write(path === '/v1/models' ? MODELS : path === '/health' ? HEALTHY : NOT_FOUND);
    return undefined;
  }
  if (!path.endsWith('/completions')) {
    socket.write(NOT_FOUND);
    return undefined;
  }
  const script = findScript(body);
  const withUsage = body.includes('"include_usage":true');
  if (script === undefined) {
    const { stream } = JSON.parse(body.toString()) as { stream?: boolean };
    socket.write(probeReply(path, stream === true, withUsage));
    return undefined;
  }
  served += 1;
  const stream: Stream = {
    ...script,
    socket,
    withUsage,
    sent: 0,
    startedUs: nowUs(),
    ended: false,
    onEnd,
  };
  startStream(stream);
  return stream;
}

process.on('message', (question: UpstreamQuestion) => {
  switch (question.ask) {
    case 'closed':
      tell({ news: 'closed', closedUs: [...closedUs] });
      closedUs.clear();
      return;
    case 'served':
      tell({ news: 'served', served });
      return;
  }
});
// Whoever started it has gone: nothing here outlives that.
process.on('disconnect', () => process.exit());

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  tell({ news: 'listening', port: (server.address() as AddressInfo).port });
});
