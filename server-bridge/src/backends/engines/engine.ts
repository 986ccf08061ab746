/** What one kind of model server can be asked besides generating, and its quirks: the port that each engine's file fills. */

/** Pure: texts in, values out. Whoever calls makes the requests, with deadlines, and caps what it reads (4 MB). */
export interface Engine {
  /** GET path whose 200 says that the process serves; not that it generates (vllm#39863). */
  readonly healthPath: string;
  /** Undefined where a server has none. */
  readonly metrics: Metrics | undefined;
  /**
   * Body fields that make a chat go on with the unfinished assistant message at its end, and nothing but its rest come
   * back; undefined: it can't. A server may still refuse them with a 4xx: then this model can't.
   */
  readonly continuesChat: Readonly<Record<string, unknown>> | undefined;
  /** Undefined where a server can't count. */
  readonly tokenize: Tokenize | undefined;
}

interface Metrics {
  /** For GET. Any other status than 200 means that the server was started without metrics, and is no fault. */
  readonly path: string;
  /**
   * Undefined where the body says nothing: then nothing is known any more, and least of all that the server stands
   * still. Never throws.
   */
  readonly read: (body: string, headers?: ResponseHeaders) => EngineLoad | undefined;
}

/** As undici has them: names in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

interface Tokenize {
  /** For POST, with a JSON body. Any other status than 200 means that this server can't. */
  readonly path: string;
  readonly body: (text: string, model: string) => unknown;
  /** From the parsed reply; undefined where it holds no count. */
  readonly count: (reply: unknown) => number | undefined;
}

/** What a server says of itself. Each is undefined where it doesn't say. */
export interface EngineLoad {
  /** Requests it works on. */
  readonly running: number | undefined;
  /** Requests it has queued itself. */
  readonly waiting: number | undefined;
  /** Share of its KV cache in use, 0–1. */
  readonly kvUse: number | undefined;
  /**
   * A number that becomes another one with every bit of work done, be it reading a prompt or writing an answer. Only
   * that it changes means something; its size and direction don't. Undefined where standing still would prove nothing.
   */
  readonly progress: number | undefined;
  /** Identifies the process: another value means that it has been restarted. No time that could be shown. */
  readonly startedAt: number | undefined;
}
