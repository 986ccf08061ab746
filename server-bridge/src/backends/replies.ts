/** What a model server's reply of status 200 is made into: the events of a stream, or one document; and how it ended. */
import { carriesToken, finishedIn } from './chunks.ts';
import { EventReader, type Read, type StreamEvent } from './event-reader.ts';

/** `gone`: can't be reached. `timeout`: silent for too long. `faulty`: broke off, or answered with something else. */
type FailureCause = 'gone' | 'timeout' | 'faulty';

export interface Failure {
  cause: FailureCause;
  message: string;
}

export type End =
  | { kind: 'done' }
  /** The backend says that the request itself is wrong: passed on as it is, never retried. */
  | { kind: 'refused'; status: number; body: string }
  /** Before its first token or after it; what came before is not the whole of it. */
  | ({ kind: 'failed' } & Failure);

/** Called in order: `first` once, `events` any number of times, `end` once and last; none of them after `abort`. */
export interface Listener {
  /** The first token has come, and follows. */
  first: () => void;
  events: (events: StreamEvent[]) => void;
  end: (end: End) => void;
}

/** A document's bytes at most: a batch of embeddings may have some megabytes. */
const DOCUMENT_LIMIT = 64 * 1024 * 1024;
/** Characters that may come before the first token: an announcement has a few hundred. */
const HELD_LIMIT = 4 * 1024 * 1024;

export interface DocumentListener {
  document: (text: string) => void;
  end: (end: End) => void;
}

/** What a reply of status 200 is made into. `close` says that nothing more comes. */
export interface Reply {
  readonly accept: string;
  /** Whether anything has been passed on. */
  readonly begun: boolean;
  /** Whether all of the answer has come, if not the end of its stream. */
  readonly isWhole: boolean;
  /** Its end, if that is in it; or whether it brought the answer on. */
  take: (bytes: Buffer) => End | 'moved' | 'nothing';
  close: () => End;
  end: (end: End) => void;
}

export class StreamReply implements Reply {
  readonly accept = 'text/event-stream';
  readonly #listener: Listener;
  readonly #reader = new EventReader();
  /** Role announcements and empty chunks come before any work is done: they wait for the first token. */
  #held: StreamEvent[] = [];
  #heldLength = 0;
  readonly #choices: number;
  readonly #finished = new Set<number>();
  begun = false;

  constructor(listener: Listener, choices: number) {
    this.#listener = listener;
    this.#choices = choices;
  }

  get isWhole(): boolean {
    return this.#finished.size >= this.#choices;
  }

  take(bytes: Buffer): ReturnType<Reply['take']> {
    const read = this.#reader.feed(bytes);
    this.#pass(read);
    if (this.#heldLength > HELD_LIMIT)
      return {
        kind: 'failed',
        cause: 'faulty',
        message: `the backend sent ${HELD_LIMIT} characters without a token`,
      };
    // A comment isn't life: a server may send them while its engine stands still.
    if (read.kind === 'events') return read.events.length > 0 ? 'moved' : 'nothing';
    if (read.kind === 'faulty') return { kind: 'failed', cause: 'faulty', message: read.message };
    if (this.begun) return { kind: 'done' };
    if (this.#held.length === 0)
      return { kind: 'failed', cause: 'faulty', message: 'the backend sent an empty stream' };
    // Nothing to say, properly said.
    this.#begin([]);
    return { kind: 'done' };
  }

  close(): End {
    if (this.isWhole) return { kind: 'done' };
    const when = this.begun ? 'it was complete' : 'its first token';
    const message = this.#reader.lastWords() ?? `the backend closed the stream before ${when}`;
    return { kind: 'failed', cause: 'faulty', message };
  }

  end(end: End): void {
    this.#listener.end(end);
  }

  #pass({ events }: Read): void {
    if (events.length === 0) return;
    for (const { chunk } of events) for (const index of finishedIn(chunk)) this.#finished.add(index);
    if (this.begun) this.#listener.events(events);
    else if (this.#finished.size > 0 || events.some(({ chunk }) => carriesToken(chunk))) this.#begin(events);
    else
      for (const event of events) {
        this.#held.push(event);
        this.#heldLength += event.data.length;
      }
  }

  #begin(events: StreamEvent[]): void {
    this.begun = true;
    this.#listener.first();
    this.#listener.events([...this.#held, ...events]);
    this.#held = [];
    this.#heldLength = 0;
  }
}

export class DocumentReply implements Reply {
  readonly accept = 'application/json';
  readonly begun = false;
  readonly isWhole = false;
  readonly #listener: DocumentListener;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(listener: DocumentListener) {
    this.#listener = listener;
  }

  take(bytes: Buffer): ReturnType<Reply['take']> {
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes <= DOCUMENT_LIMIT) return 'moved';
    return {
      kind: 'failed',
      cause: 'faulty',
      message: `the backend's reply has more than ${DOCUMENT_LIMIT} bytes`,
    };
  }

  close(): End {
    this.#listener.document(Buffer.concat(this.#parts).toString());
    return { kind: 'done' };
  }

  end(end: End): void {
    this.#listener.end(end);
  }
}
