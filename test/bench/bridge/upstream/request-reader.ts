/** Takes HTTP requests off a connection: the least that nginx, HAProxy and Node's clients need of a server. */

export interface Request {
  method: string;
  path: string;
  body: Buffer;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);

export class RequestReader {
  #pending: Buffer = EMPTY;

  /** The requests that are complete with these bytes. */
  push(data: Buffer): Request[] {
    this.#pending = this.#pending.length === 0 ? data : Buffer.concat([this.#pending, data]);
    const requests: Request[] = [];
    for (;;) {
      const taken = take(this.#pending);
      if (taken === undefined) return requests;
      requests.push(taken.request);
      this.#pending = this.#pending.subarray(taken.length);
    }
  }
}

function take(bytes: Buffer): { request: Request; length: number } | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const [method = '', path = ''] = head.slice(0, head.indexOf('\r\n')).split(' ');
  const from = headEnd + HEAD_END.length;
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) {
    const chunked = unchunk(bytes, from);
    return chunked && { request: { method, path, body: chunked.body }, length: chunked.end };
  }
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  if (bytes.length < from + length) return undefined;
  return { request: { method, path, body: bytes.subarray(from, from + length) }, length: from + length };
}

function unchunk(bytes: Buffer, from: number): { body: Buffer; end: number } | undefined {
  const parts: Buffer[] = [];
  for (let at = from; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const start = lineEnd + 2;
    if (bytes.length < start + size + 2) return undefined;
    if (size === 0) return { body: Buffer.concat(parts), end: start + 2 };
    parts.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
