/**
 * Reads a model server's event stream: bytes in, however they were cut; whole chunks out. What isn't a stream of JSON
 * chunks is a fault and is named. Memory is bounded. Pure.
 */
import { StringDecoder } from 'node:string_decoder';
import { createParser, type EventSourceParser } from 'eventsource-parser';
import type { Chunk } from './chunks.ts';

/** One event of a stream: what it says, and that as it was written. */
export interface StreamEvent {
  chunk: Chunk;
  /** JSON on one line. */
  data: string;
}

export type Read =
  /** Goes on, with these events, perhaps none. */
  | { kind: 'events'; events: StreamEvent[] }
  /** `[DONE]` came, after these. */
  | { kind: 'done'; events: StreamEvent[] }
  /** After these it says that it failed, or what it says can't be read. */
  | { kind: 'faulty'; events: StreamEvent[]; message: string };

/** Characters of one event at most: a few hundred are usual, and logprobs or a whole tool call in one make some more. */
const EVENT_LIMIT = 4 * 1024 * 1024;

export class EventReader {
  // Not a TextDecoder: that holds memory outside the heap for each stream.
  readonly #decoder = new StringDecoder('utf8');
  readonly #parser: EventSourceParser;
  /** The line that hasn't ended yet, in pieces: the parser judges a line by its beginning, so it gets whole ones. */
  #begun: string[] = [];
  #begunLength = 0;
  #events: StreamEvent[] = [];
  #end: 'done' | { message: string } | undefined;

  constructor() {
    this.#parser = createParser({
      onEvent: ({ data }) => this.#event(data),
      onError: ({ type, line }) => {
        if (type === 'max-buffer-size-exceeded') this.#end ??= TOO_LONG;
        // A server that fails in its own code may drop its error into the stream as it is.
        else if (line?.startsWith('{')) this.#end ??= { message: outOfBand(line) };
      },
      maxBufferSize: EVENT_LIMIT,
    });
  }

  /** Nothing may be fed after `done` or `faulty`. */
  feed(bytes: Uint8Array): Read {
    this.#read(this.#decoder.write(bytes));
    const events = this.#events;
    this.#events = [];
    if (this.#end === undefined) return { kind: 'events', events };
    return this.#end === 'done' ? { kind: 'done', events } : { kind: 'faulty', events, ...this.#end };
  }

  /** What stands on a last line that has no end, if it is an error: a server that breaks off has no time for one. */
  lastWords(): string | undefined {
    const line = this.#begun.join('');
    return line.startsWith('{') ? outOfBand(line) : undefined;
  }

  #read(text: string): void {
    // As it nearly always comes: whole events.
    if (this.#begunLength === 0 && text.endsWith('\n')) {
      this.#parser.feed(text);
      return;
    }
    const end = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r')) + 1;
    if (end > 0) {
      this.#parser.feed(this.#begun.join('') + text.slice(0, end));
      this.#begun = [];
      this.#begunLength = 0;
    }
    if (end === text.length) return;
    this.#begun.push(text.slice(end));
    this.#begunLength += text.length - end;
    if (this.#begunLength > EVENT_LIMIT) this.#end ??= TOO_LONG;
  }

  #event(data: string): void {
    if (this.#end !== undefined) return;
    if (data === '[DONE]') {
      this.#end = 'done';
      return;
    }
    const chunk = parse(data);
    if (chunk === undefined) this.#end = { message: 'the backend sent a malformed event' };
    else if (chunk.error !== undefined && chunk.error !== null) this.#end = { message: errorIn(chunk) };
    // Data over several lines is one JSON document all the same; written anew it is on one line.
    else this.#events.push({ chunk, data: data.includes('\n') ? JSON.stringify(chunk) : data });
  }
}

const TOO_LONG = { message: `the backend sent an event of more than ${EVENT_LIMIT} characters` };

function parse(data: string): Chunk | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Chunk)
      : undefined;
  } catch {
    return undefined;
  }
}

function errorIn({ error }: Chunk): string {
  if (typeof error === 'string') return error;
  return error?.message ?? 'the backend reported an error';
}

function outOfBand(line: string): string {
  const chunk = parse(line);
  return chunk?.error === undefined || chunk.error === null
    ? 'the backend sent something that is no event'
    : errorIn(chunk);
}
