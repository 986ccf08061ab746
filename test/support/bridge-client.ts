/** What a client makes of the bridge's replies, for tests. */
import type { BackendState, BridgeStatus } from '@hearth/protocol';

export async function post(
  url: string,
  path: string,
  body: unknown,
  { signal, headers = {} }: { signal?: AbortSignal; headers?: Record<string, string> } = {},
): Promise<Response> {
  return await fetch(url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

export interface Told {
  /** Of the tokens, one after the other. */
  text: string;
  finish: string | undefined;
  /** Whether it ended with `[DONE]`. */
  done: boolean;
  error: Record<string, string> | undefined;
  comments: string[];
}

interface Piece {
  choices?: { text?: string; delta?: { content?: string }; finish_reason?: string | null }[];
  error?: Record<string, string>;
}

/** Reads an event stream as it came from the bridge. */
export function told(stream: string): Told {
  const lines = stream.split('\n');
  const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice('data: '.length));
  const pieces = data.filter((one) => one !== '[DONE]').map((one) => JSON.parse(one) as Piece);
  const choices = pieces.flatMap((piece) => piece.choices ?? []);
  return {
    text: choices.map(({ text, delta }) => text ?? delta?.content ?? '').join(''),
    finish: choices.findLast((choice) => choice.finish_reason != null)?.finish_reason ?? undefined,
    done: data.at(-1) === '[DONE]',
    error: pieces.find((piece) => piece.error !== undefined)?.error,
    comments: lines.filter((line) => line.startsWith(':')).map((line) => line.slice(1).trim()),
  };
}

export async function errorIn(reply: Response): Promise<Record<string, string>> {
  return ((await reply.json()) as { error: Record<string, string> }).error;
}

export async function statusOf(url: string): Promise<BridgeStatus> {
  return (await (await fetch(`${url}/hearth/v1/status`)).json()) as BridgeStatus;
}

/** Waits until the status says so; mocha's limit ends a wait for what never comes. */
export async function untilStatus(url: string, check: (status: BridgeStatus) => boolean): Promise<void> {
  while (!check(await statusOf(url))) await new Promise((resolve) => setTimeout(resolve, 10));
}

export async function untilBackend(url: string, id: string, state: BackendState): Promise<void> {
  await untilStatus(url, ({ backends }) => backends.find((one) => one.id === id)?.state === state);
}

/** No request holds a place or waits for one. */
export async function untilIdle(url: string): Promise<void> {
  await untilStatus(url, ({ backends }) => backends.every((one) => one.in_flight + one.queued === 0));
}
