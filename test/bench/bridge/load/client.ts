/** Streams over kept-alive connections to one address, as cheap as they can be made. */
import { connect, type Socket } from 'node:net';
import { requestBody, type Script } from '../script.ts';
import type { Target } from './orders.ts';
import { requestHead } from './request-head.ts';
import { ResponseReader } from './response-reader.ts';

export interface StreamHandlers {
  /** A token came; the time when the upstream sent it. */
  onToken?: (sentUs: number) => void;
  /** It is over: whole, or not. */
  onEnd: (whole: boolean, reader: ResponseReader) => void;
}

export interface Running {
  id: number;
  /** Goes away, as a client does whose user has. */
  destroy: () => void;
  /** Events so far. */
  events: () => number;
}

interface Connection {
  socket: Socket;
  reader: ResponseReader | undefined;
  handlers: StreamHandlers | undefined;
}

/** Every socket reads into this one: its bytes are used up before the next read. */
const READ = Buffer.allocUnsafe(64 * 1_024);
let nextId = 1;

/** Ids are given out in order; a request is found by its id in the upstream's record. */
export const takeId = () => nextId++;

export class Client {
  readonly #target: Target;
  readonly #head: string;
  readonly #free: Connection[] = [];
  readonly #all = new Set<Connection>();

  constructor(target: Target) {
    this.#target = target;
    this.#head = requestHead(target);
  }

  /** Opens connections ahead of time. */
  async warm(count: number): Promise<void> {
    const opened = Array.from({ length: count }, async () => {
      const connection = this.#open();
      await new Promise<void>((resolve, reject) => {
        connection.socket.once('connect', resolve).once('error', reject);
      });
      this.#free.push(connection);
    });
    await Promise.all(opened);
  }

  start(script: Script, handlers: StreamHandlers): Running {
    const id = takeId();
    const body = requestBody(id, script);
    const connection = this.#free.pop() ?? this.#open();
    const reader = new ResponseReader(handlers.onToken);
    connection.reader = reader;
    connection.handlers = handlers;
    connection.socket.write(`${this.#head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    return {
      id,
      destroy: () => {
        connection.handlers = undefined;
        connection.socket.destroy();
      },
      events: () => reader.events,
    };
  }

  close(): void {
    for (const { socket } of this.#all) socket.destroy();
  }

  #open(): Connection {
    const connection: Connection = {
      reader: undefined,
      handlers: undefined,
      socket: connect({
        host: '127.0.0.1',
        port: this.#target.port,
        noDelay: true,
        onread: {
          buffer: READ,
          callback: (size, buffer) => {
            this.#read(connection, (buffer as Buffer).subarray(0, size));
            return true;
          },
        },
      }),
    };
    this.#all.add(connection);
    // 'close' follows and does the work.
    connection.socket.on('error', () => undefined);
    connection.socket.on('close', () => {
      this.#all.delete(connection);
      const free = this.#free.indexOf(connection);
      if (free >= 0) this.#free.splice(free, 1);
      this.#finish(connection, false);
    });
    return connection;
  }

  #read(connection: Connection, data: Buffer): void {
    const { reader } = connection;
    if (reader === undefined) return;
    reader.push(data);
    if (!reader.complete) return;
    if (reader.closes) connection.socket.end();
    else this.#free.push(connection);
    this.#finish(connection, reader.status === 200 && reader.done);
  }

  #finish(connection: Connection, whole: boolean): void {
    const { reader, handlers } = connection;
    connection.reader = undefined;
    connection.handlers = undefined;
    if (reader !== undefined) handlers?.onEnd(whole, reader);
  }
}
