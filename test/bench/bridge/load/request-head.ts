/** The head of every request that the benchmark sends, up to its length. */

export interface Address {
  port: number;
  headers: Record<string, string>;
}

export function requestHead({ port, headers }: Address): string {
  const all = {
    host: `127.0.0.1:${port}`,
    'content-type': 'application/json',
    accept: 'text/event-stream',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST /v1/chat/completions HTTP/1.1\r\n${lines.join('')}`;
}
