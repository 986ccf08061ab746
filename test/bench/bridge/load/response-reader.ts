/** Takes one streamed HTTP reply off a connection and finds where its events end; parses nothing that isn't needed. */
import { DONE, STAMP, STAMP_DIGITS } from '../upstream/frames.ts';

const HEAD_END = '\r\n\r\n';
const EVENT_END = Buffer.from('\n\n');
const STAMP_BYTES = Buffer.from(STAMP);
const NEWLINE = 10;
const ZERO = 48;

export class ResponseReader {
  status = 0;
  /** The server closes the connection after this reply. */
  closes = false;
  /** The reply has ended as HTTP says, with its last chunk. */
  complete = false;
  /** `[DONE]` was the last event. */
  done = false;
  events = 0;
  readonly #onStamp: ((sentUs: number) => void) | undefined;
  #head: string | undefined = '';
  #sizeLine = '';
  #left = 0;
  #last = false;
  #carry: Buffer | undefined;

  /** `onStamp` is told the time in each token's stamp. */
  constructor(onStamp: ((sentUs: number) => void) | undefined) {
    this.#onStamp = onStamp;
  }

  /** The bytes may be overwritten after this returns. */
  push(data: Buffer): void {
    let at = this.#head === undefined ? 0 : this.#takeHead(data);
    while (at < data.length && !this.complete) {
      if (this.#left > 0) {
        const end = Math.min(at + this.#left, data.length);
        this.#left -= end - at;
        this.#takeBody(data, at, end);
        at = end;
      } else at = this.#takeLine(data, at);
    }
  }

  #takeHead(data: Buffer): number {
    const before = this.#head?.length ?? 0;
    const head = this.#head + data.toString('latin1');
    const end = head.indexOf(HEAD_END);
    if (end < 0) {
      this.#head = head;
      return data.length;
    }
    this.#head = undefined;
    this.status = Number(head.slice(9, 12));
    this.closes = /\r\nconnection: *close/i.test(head.slice(0, end));
    if (!/\r\ntransfer-encoding: *chunked/i.test(head.slice(0, end))) {
      const length = /\r\ncontent-length: *(\d+)/i.exec(head.slice(0, end))?.[1];
      // Without a length the body goes on until the connection ends.
      this.#left = length === undefined ? Number.POSITIVE_INFINITY : Number(length);
      this.#last = true;
      this.complete = this.#left === 0;
    }
    return end + HEAD_END.length - before;
  }

  /** A line between chunks: a size, the end of the chunk before it, or what follows the last chunk. */
  #takeLine(data: Buffer, at: number): number {
    const newline = data.indexOf(NEWLINE, at);
    const end = newline < 0 ? data.length : newline + 1;
    this.#sizeLine += data.toString('latin1', at, end);
    if (newline < 0) return end;
    const line = this.#sizeLine.trimEnd();
    this.#sizeLine = '';
    if (this.#last) this.complete = line === '';
    else if (line !== '') {
      this.#left = Number.parseInt(line, 16);
      this.#last = this.#left === 0;
    }
    return end;
  }

  #takeBody(data: Buffer, from: number, to: number): void {
    if (this.#carry === undefined) this.#takeEvents(data, from, to);
    else {
      const joined = Buffer.concat([this.#carry, data.subarray(from, to)]);
      this.#carry = undefined;
      this.#takeEvents(joined, 0, joined.length);
    }
    if (this.#last && this.#left === 0) this.complete = true;
  }

  #takeEvents(data: Buffer, from: number, to: number): void {
    let start = from;
    for (;;) {
      const end = data.indexOf(EVENT_END, start);
      if (end < 0 || end + EVENT_END.length > to) break;
      const next = end + EVENT_END.length;
      this.events += 1;
      if (this.#onStamp !== undefined) this.#findStamp(data, start, end);
      this.done = next - start === DONE.length && data.toString('latin1', start, next) === DONE;
      start = next;
    }
    if (start < to) this.#carry = Buffer.from(data.subarray(start, to));
  }

  #findStamp(data: Buffer, start: number, end: number): void {
    const at = data.indexOf(STAMP_BYTES, start);
    if (at < 0 || at > end) return;
    let us = 0;
    const first = at + STAMP_BYTES.length;
    for (let digit = first; digit < first + STAMP_DIGITS; digit++)
      us = us * 10 + (data[digit] ?? ZERO) - ZERO;
    this.#onStamp?.(us);
  }
}
