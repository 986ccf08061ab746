/** Asks the running bridge for one completion and one chat turn, as an editor would, and measures what came back. */
import { performance } from 'node:perf_hooks';
import { errorEnvelope, HEADER } from '@hearth/protocol';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { Chunk } from '../src/backends/chunks.ts';
import { FIM_SAMPLE } from '../src/check/sample.ts';

export type CheckResult =
  | {
      kind: 'answered';
      text: string;
      backend: string;
      /** Milliseconds from the request. */
      firstTokenMs: number;
      totalMs: number;
    }
  | { kind: 'failed'; reason: string };

const COMPLETION = {
  prompt: FIM_SAMPLE.prefix,
  suffix: FIM_SAMPLE.suffix,
  max_tokens: 64,
  temperature: 0,
};

const CHAT = {
  messages: [{ role: 'user', content: 'In one sentence: who are you?' }],
  max_tokens: 256,
  temperature: 0,
};

export async function checkCompletion(url: string, signal: AbortSignal): Promise<CheckResult> {
  return await ask(`${url}/v1/completions`, COMPLETION, signal);
}

export async function checkChat(url: string, signal: AbortSignal): Promise<CheckResult> {
  return await ask(`${url}/v1/chat/completions`, CHAT, signal);
}

async function ask(url: string, body: Record<string, unknown>, signal: AbortSignal): Promise<CheckResult> {
  const started = performance.now();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...body, stream: true }),
    signal,
  });
  if (!response.ok || response.body === null) {
    const envelope = errorEnvelope.safeParse(await response.json());
    return {
      kind: 'failed',
      reason: envelope.success ? envelope.data.error.message : `status ${response.status}`,
    };
  }
  let text = '';
  let firstTokenMs: number | undefined;
  const events = response.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  for await (const { data } of events) {
    if (data === '[DONE]') break;
    const chunk = JSON.parse(data) as Chunk;
    const failure = errorEnvelope.safeParse(chunk);
    if (failure.success) return { kind: 'failed', reason: failure.data.error.message };
    const said = chunk.choices?.[0]?.text ?? chunk.choices?.[0]?.delta?.content ?? '';
    if (said !== '') firstTokenMs ??= performance.now() - started;
    text += said;
  }
  const totalMs = performance.now() - started;
  return {
    kind: 'answered',
    text,
    backend: response.headers.get(HEADER.backend) ?? '?',
    firstTokenMs: Math.round(firstTokenMs ?? totalMs),
    totalMs: Math.round(totalMs),
  };
}
