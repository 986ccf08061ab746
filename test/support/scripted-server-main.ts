/**
 * Run as a process of its own by `scripted-server.ts`: a model server that does to each request what it has been told,
 * step by step. Health checks and canaries it answers soundly at any time.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { Order, Report, Step } from './scripted-server.ts';

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2);
const SOUND = 'Math.min(Math.max(value, low), high);';

let script: Step[] = [];
let count = 0;
let go = () => {};

const tell = (report: Report) => void process.send?.(report);

process.on('message', (order: Order) => {
  if (order.kind === 'go') go();
  else {
    script = order.steps;
    tell({ kind: 'ready' });
  }
});
process.on('disconnect', () => process.exit());

const server = createServer((request, response) => {
  if (request.method === 'POST') void answer(request, response);
  else
    response.writeHead(request.url === '/metrics' ? 404 : 200).end('{"object":"list","data":[{"id":"m"}]}');
});
server.listen(Number(port), host, () =>
  tell({ kind: 'listening', port: (server.address() as AddressInfo).port }),
);

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = (await json(request)) as Record<string, unknown>;
  const path = request.url ?? '';
  const isCanary = body.user === 'hearth-canary' || isRankingCanary(body);
  tell({ kind: 'request', path, body, isCanary });
  if (isCanary) {
    if (path.includes('rerank')) response.end(JSON.stringify({ results: ranked(body) }));
    else if (path.includes('embed')) response.end('{"data":[{"embedding":[0.6,0.8]}]}');
    else
      await play(
        [{ do: 'head' }, { do: 'token', text: SOUND }, { do: 'finish' }, { do: 'done' }, { do: 'end' }],
        path,
        response,
      );
    return;
  }
  const number = count++;
  response.once('close', () => tell({ kind: 'closed', number, whole: response.writableFinished }));
  await play(script, path, response);
}

async function play(steps: Step[], path: string, response: ServerResponse): Promise<void> {
  for (const step of steps) {
    switch (step.do) {
      case 'head':
        response.writeHead(step.status ?? 200, { 'content-type': step.type ?? 'text/event-stream' });
        response.flushHeaders();
        break;
      case 'role':
        await write(response, event(path, { role: 'assistant', content: '' }, null));
        break;
      case 'token':
        await write(response, event(path, { content: step.text }, null));
        break;
      case 'finish':
        await write(response, event(path, { content: '' }, 'stop'));
        break;
      case 'done':
        await write(response, 'data: [DONE]\n\n');
        break;
      case 'write':
        await write(response, Buffer.from(step.base64, 'base64'));
        break;
      case 'flood':
        for (let time = 0; time < step.times && !response.destroyed; time++) {
          await write(response, step.text);
          tell({ kind: 'flooded', times: time + 1 });
        }
        break;
      case 'every': {
        const timer = setInterval(() => response.write(step.text), step.ms);
        response.once('close', () => clearInterval(timer));
        break;
      }
      case 'hold': {
        const { promise, resolve } = Promise.withResolvers<void>();
        go = resolve;
        tell({ kind: 'held' });
        await promise;
        break;
      }
      case 'reset':
        response.socket?.resetAndDestroy();
        return;
      case 'end':
        response.end();
        break;
    }
    if (response.destroyed) return;
  }
}

/** Resolves when the kernel has it, or the connection has gone. */
async function write(response: ServerResponse, data: string | Buffer): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const gone = () => resolve();
  response.once('close', gone);
  response.write(data, () => resolve());
  await promise.finally(() => response.off('close', gone));
}

function event(path: string, delta: { role?: string; content: string }, finish: string | null): string {
  const choice = path.includes('chat')
    ? { index: 0, delta, finish_reason: finish }
    : { index: 0, text: delta.content, finish_reason: finish };
  return `data: ${JSON.stringify({ id: 'scripted-1', object: 'chunk', model: 'scripted', choices: [choice] })}\n\n`;
}

/** The bridge's own question has no field to mark it: its words do. */
function isRankingCanary({ query }: Record<string, unknown>): boolean {
  return query === 'What is the capital of France?';
}

function ranked({ documents }: Record<string, unknown>): object[] {
  return (documents as string[]).map((text, index) => ({
    index,
    relevance_score: text.includes('Paris') ? 1 : 0,
  }));
}
