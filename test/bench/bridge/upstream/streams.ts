/** The streams that the upstream is sending: paced ones by a timer each, fast ones a token a turn of the event loop. */
import type { Socket } from 'node:net';
import { nowUs } from '../clock.ts';
import type { Script } from '../script.ts';
import { ENDING, ENDING_WITH_USAGE, OPENING, token } from './frames.ts';

export interface Stream extends Script {
  id: number;
  socket: Socket;
  withUsage: boolean;
  sent: number;
  startedUs: number;
  ended: boolean;
  onEnd: () => void;
  timer?: NodeJS.Timeout;
}

const fast = new Set<Stream>();
let turning = false;

export function startStream(stream: Stream): void {
  if (stream.firstUs > 0) {
    // Silent until its first token, as a model server is that reads a long prompt.
    stream.startedUs += stream.firstUs;
    stream.timer = setTimeout(() => {
      stream.socket.write(OPENING);
      next(stream);
    }, stream.firstUs / 1_000);
    return;
  }
  stream.socket.write(OPENING);
  if (stream.gapUs > 0) {
    setImmediate(next, stream);
    return;
  }
  fast.add(stream);
  if (turning) return;
  turning = true;
  setImmediate(turn);
}

export function stopStream(stream: Stream): void {
  stream.ended = true;
  clearTimeout(stream.timer);
  fast.delete(stream);
}

function turn(): void {
  for (const stream of fast) send(stream);
  turning = fast.size > 0;
  if (turning) setImmediate(turn);
}

function next(stream: Stream): void {
  if (stream.ended) return;
  send(stream);
  if (stream.ended) return;
  // By the schedule, not from the last token: lateness must not add up.
  const dueUs = stream.startedUs + stream.sent * stream.gapUs;
  stream.timer = setTimeout(next, Math.max(0, Math.round((dueUs - nowUs()) / 1_000)), stream);
}

function send(stream: Stream): void {
  const { socket } = stream;
  if (stream.cutAfter > 0 && stream.sent === stream.cutAfter) {
    stopStream(stream);
    socket.destroy();
    return;
  }
  if (stream.sent < stream.tokens) {
    socket.write(token(nowUs()));
    stream.sent += 1;
    return;
  }
  stopStream(stream);
  socket.write(stream.withUsage ? ENDING_WITH_USAGE : ENDING);
  stream.onEnd();
}
