/**
 * Writes the pieces of a streamed body to the client's socket, one buffer a piece.
 *
 * Node frames a chunk as four writes, and this makes it one: 10 to 15 % less CPU a token, in pairs on one machine. What is
 * written this way and what `ServerResponse` writes itself go to the same socket, in order.
 */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export class ChunkedBody {
  readonly #raw: ServerResponse;

  /** The head has to be out before the first `write`. */
  constructor(raw: ServerResponse) {
    this.#raw = raw;
  }

  /** False: the socket is full, and `onDrain` says when it isn't. */
  write(text: string): boolean {
    const { socket, chunkedEncoding } = this.#raw;
    // A pipelined request's turn hasn't come, or an old client takes the body as it is.
    if (socket === null || !chunkedEncoding) return this.#raw.write(text);
    // An empty chunk would be the end.
    if (text === '') return true;
    if (socket.writableCorked === 0) {
      // Until the end of this turn of the loop: what else comes now goes out with it.
      socket.cork();
      process.nextTick(uncork, socket);
    }
    return socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
  }

  onDrain(callback: () => void): void {
    (this.#raw.socket ?? this.#raw).once('drain', callback);
  }
}

function uncork(socket: Socket): void {
  socket.uncork();
}
