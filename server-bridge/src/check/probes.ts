/** Asks one backend for what it is configured to serve, and says of each answer whether it will do. */
import { performance } from 'node:perf_hooks';
import { request } from 'undici';
import { z } from 'zod';
import { ask as askBackend, type Question } from '../backends/ask.ts';
import type { Backend, Server } from '../backends/backend.ts';
import { renderFim } from '../models/fim.ts';
import { proseIn } from '../models/prose.ts';
import { FIM_SAMPLE } from './sample.ts';

export interface ProbeResult {
  backend: string;
  probe: 'reachable' | 'model' | 'fim' | 'chat' | 'embeddings';
  ok: boolean;
  /** What came back, or what is wrong and what to do about it. */
  detail: string;
  ms: number;
}

type Outcome = Pick<ProbeResult, 'ok' | 'detail'>;

const ANSWER_MS = 10_000;

/** One result a probe, as it is known. Later probes are left out when the server can't be reached at all. */
export async function* probe(backend: Backend, signal: AbortSignal): AsyncGenerator<ProbeResult> {
  const { server, config, standing } = backend;
  if (server === undefined) {
    yield {
      backend: config.id,
      probe: 'reachable',
      ok: false,
      detail: standing.reason ?? 'its engine is not running',
      ms: 0,
    };
    return;
  }
  const run = async (name: ProbeResult['probe'], ask: () => Promise<Outcome>): Promise<ProbeResult> => {
    const started = performance.now();
    const outcome = await ask().catch((error: unknown) => ({ ok: false, detail: (error as Error).message }));
    return { backend: config.id, probe: name, ...outcome, ms: Math.round(performance.now() - started) };
  };

  let listed: string[] | undefined;
  const reachable = await run('reachable', async () => {
    listed = await listModels(server, signal);
    return { ok: true, detail: server.url };
  });
  yield reachable;
  if (!reachable.ok) return;
  yield await run('model', async () => isListed(server.model, listed ?? []));
  if (config.serves.includes('completion') && config.fim !== 'none')
    yield await run('fim', async () => await fim(backend, server, signal));
  if (config.serves.includes('chat'))
    yield await run('chat', async () => await chat(backend, server, signal));
  if (config.serves.includes('embedding'))
    yield await run('embeddings', async () => await embeddings(server, signal));
}

const modelIds = z.object({ data: z.array(z.object({ id: z.string() })) });

async function listModels(server: Server, signal: AbortSignal): Promise<string[]> {
  const body = await ask('GET', `${server.url}/v1/models`, undefined, signal);
  const parsed = modelIds.safeParse(body);
  if (!parsed.success)
    throw new Error(`${server.url}/v1/models is not OpenAI's list: is this the model server's url?`);
  return parsed.data.data.map((model) => model.id);
}

async function isListed(wanted: string, listed: string[]): Promise<Outcome> {
  if (listed.includes(wanted)) return { ok: true, detail: wanted };
  return { ok: false, detail: `the server has no model "${wanted}"; it has: ${listed.join(', ') || 'none'}` };
}

async function fim(backend: Backend, server: Server, signal: AbortSignal): Promise<Outcome> {
  const rendered = renderFim(backend.config.fim, FIM_SAMPLE);
  const body = { ...rendered, max_tokens: 32, temperature: 0 };
  const text = await generate(backend, server, { kind: 'fim', path: '/v1/completions', body }, signal);
  const wrong = proseIn(text);
  if (wrong === undefined) return { ok: true, detail: JSON.stringify(text.trim()) };
  return {
    ok: false,
    detail: `the completion is no code: ${wrong}. It said ${JSON.stringify(text.trim().slice(0, 80))}`,
  };
}

async function chat(backend: Backend, server: Server, signal: AbortSignal): Promise<Outcome> {
  const messages = [{ role: 'user', content: 'Answer with the word ready.' }];
  const body = { messages, max_tokens: 32, temperature: 0 };
  const text = await generate(backend, server, { kind: 'chat', path: '/v1/chat/completions', body }, signal);
  if (text.trim() === '') return { ok: false, detail: 'the answer is empty' };
  return { ok: true, detail: JSON.stringify(text.trim().slice(0, 60)) };
}

const embedding = z.object({ data: z.array(z.object({ embedding: z.array(z.number()).min(1) })).min(1) });

async function embeddings(server: Server, signal: AbortSignal): Promise<Outcome> {
  const body = await ask(
    'POST',
    `${server.url}/v1/embeddings`,
    { model: server.model, input: 'hello' },
    signal,
  );
  const parsed = embedding.safeParse(body);
  if (!parsed.success)
    return { ok: false, detail: 'the reply has no vector: is the server started for embeddings?' };
  return { ok: true, detail: `${parsed.data.data[0]?.embedding.length} dimensions` };
}

/** The text of the answer. Through the very code that serves requests, deadlines included. */
async function generate(
  { upstream }: Backend,
  server: Server,
  { kind, path, body }: Question,
  signal: AbortSignal,
): Promise<string> {
  const question = { kind, path, body: { ...body, model: server.model } };
  const asked = await askBackend(upstream, server.url, question, signal);
  if (asked.kind === 'failed') throw new Error(asked.message);
  if (asked.kind === 'refused')
    throw new Error(`the server refuses the request (${asked.status}): ${asked.body.slice(0, 200)}`);
  const { choices } = asked.answer as {
    choices: { text?: string; message?: { content?: string | null } }[];
  };
  return choices[0]?.text ?? choices[0]?.message?.content ?? '';
}

async function ask(
  method: 'GET' | 'POST',
  url: string,
  body: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  const response = await request(url, {
    method,
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  });
  if (response.statusCode !== 200) {
    await response.body.dump();
    throw new Error(`${new URL(url).pathname} answers ${response.statusCode}`);
  }
  return await response.body.json();
}
