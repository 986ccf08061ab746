/** Asks a backend one small question for the bridge's own sake, and waits for the whole of the answer. */
import { Collector } from './chunks.ts';
import type { End } from './replies.ts';
import type { Upstream } from './upstream.ts';

export interface Question {
  kind: 'text' | 'fim' | 'chat' | 'embedding' | 'rerank';
  /** After the server's url. */
  path: string;
  body: Readonly<Record<string, unknown>>;
}

/** `answer` is the reply's JSON: a stream's chunks put together, or the document, undefined if it isn't JSON. */
export type Asked = { kind: 'answered'; answer: unknown } | Exclude<End, { kind: 'done' }>;

/** Through the very code that serves requests, deadlines included. Never rejects: an abort counts as a failure. */
export async function ask(
  upstream: Upstream,
  serverUrl: string,
  { kind, path, body }: Question,
  signal: AbortSignal,
): Promise<Asked> {
  const { promise, resolve } = Promise.withResolvers<Asked>();
  const url = serverUrl + path;
  const settle = (answer: () => unknown) => (end: End) =>
    resolve(end.kind === 'done' ? { kind: 'answered', answer: answer() } : end);
  const running =
    kind === 'embedding' || kind === 'rerank'
      ? documentOf()
      : streamOf(kind === 'chat' ? 'chat.completion' : 'text_completion');
  const stop = () => {
    running.abort();
    resolve({ kind: 'failed', cause: 'faulty', message: 'given up' });
  };
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  return await promise.finally(() => signal.removeEventListener('abort', stop));

  function streamOf(object: 'text_completion' | 'chat.completion') {
    const collector = new Collector(object);
    return upstream.stream(url, JSON.stringify({ ...body, stream: true }), {
      first: () => undefined,
      events: (events) => {
        for (const { chunk } of events) collector.add(chunk);
      },
      end: settle(() => collector.reply()),
    });
  }

  function documentOf() {
    let document = '';
    return upstream.document(url, JSON.stringify(body), {
      document: (text) => {
        document = text;
      },
      end: settle(() => parsed(document)),
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
