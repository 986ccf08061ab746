/** The bridge's API for the editor, over the openai SDK: no retries of its own, every call with a deadline, faults as values. */
import { HEADER, errorEnvelope, modelList } from '@hearth/protocol';
import type { ErrorCode, ModelEntry, Secret } from '@hearth/protocol';
import OpenAI, { APIConnectionError, APIError } from 'openai';
import type { CompletionCreateParamsStreaming } from 'openai/resources/completions';
import { bridgeFetch } from './bridge-fetch.ts';
import type { Fault } from './fault.ts';

/** Where to call and with what. No secret: the bridge asks for none. */
export type Access = { url: string; secret: Secret | undefined };

/** Who answered, from the reply's headers. */
export type Answer = { model: string; backend: string; gpu: string | undefined; fallback: boolean };

/** Why there is no answer. */
export type BridgeFailure =
  | { kind: 'cancelled' }
  | ({ kind: 'unauthorised' } & Fault)
  /** Nobody there, or no answer in time. */
  | ({ kind: 'unreachable' } & Fault)
  /** Somebody answers, but not with what was asked for; `not_a_bridge`: it is no Hearth bridge. */
  | ({ kind: 'refused' } & Fault);

export type CompletionReply =
  { kind: 'ok'; text: string; answer: Answer; firstTokenMs: number; totalMs: number } | BridgeFailure;

/** The body of a completion request; `prompt` and `suffix` are the text before and behind the cursor. */
export type CompletionBody = {
  model: string;
  prompt: string;
  suffix: string;
  max_tokens: number;
  temperature: number;
  hearth: { path: string; language: string };
};

/** Milliseconds. A completion nobody waits for any longer is not worth its GPU time. */
const DEADLINE_MS = { models: 4_000, completion: 20_000 };

export class BridgeClient {
  /** The models that the bridge offers; a quick call, which also serves to see whether it is there. */
  async models(
    access: Access,
    signal: AbortSignal,
  ): Promise<{ kind: 'ok'; models: ModelEntry[] } | BridgeFailure> {
    const deadline = AbortSignal.timeout(DEADLINE_MS.models);
    try {
      const reply = await client(access)
        .models.list({ signal: AbortSignal.any([signal, deadline]), timeout: DEADLINE_MS.models })
        .asResponse();
      const list = modelList.safeParse(await reply.json());
      return list.success ? { kind: 'ok', models: list.data.data } : notABridge(access);
    } catch (error) {
      // A bridge has this list, and refuses it in its own form.
      const foreign = error instanceof APIError && error.status !== undefined && !isOwnRefusal(error);
      return foreign && !signal.aborted ? notABridge(access) : failure(error, access, signal, deadline);
    }
  }

  /** One completion, streamed and gathered. Aborting `signal` ends the request on the server too. */
  async complete(access: Access, body: CompletionBody, signal: AbortSignal): Promise<CompletionReply> {
    const deadline = AbortSignal.timeout(DEADLINE_MS.completion);
    const started = performance.now();
    try {
      const request: CompletionCreateParamsStreaming = { ...body, stream: true };
      const { data: stream, response } = await client(access)
        .completions.create(request, {
          signal: AbortSignal.any([signal, deadline]),
          timeout: DEADLINE_MS.completion,
        })
        .withResponse();
      let text = '';
      let finished = false;
      let firstTokenMs: number | undefined;
      for await (const chunk of stream) {
        const choice = chunk.choices[0];
        if (choice === undefined) continue;
        if (choice.text !== '') firstTokenMs ??= performance.now() - started;
        text += choice.text;
        if (choice.finish_reason != null) finished = true;
      }
      // The SDK ends an aborted stream as if it were complete.
      if (signal.aborted || deadline.aborted)
        return failure(new Error('the stream was aborted'), access, signal, deadline);
      if (!finished)
        return {
          kind: 'refused',
          code: 'backend_lost',
          message: 'The answer broke off before its end.',
        };
      const totalMs = performance.now() - started;
      return {
        kind: 'ok',
        text,
        answer: answerOf(response.headers, body.model),
        firstTokenMs: firstTokenMs ?? totalMs,
        totalMs,
      };
    } catch (error) {
      return failure(error, access, signal, deadline);
    }
  }
}

function client({ url, secret }: Access): OpenAI {
  return new OpenAI({
    baseURL: `${url.replace(/\/+$/, '')}/v1`,
    // The SDK wants one; what is sent is up to bridgeFetch.
    apiKey: 'none',
    adminAPIKey: null,
    organization: null,
    project: null,
    fetch: bridgeFetch(secret === undefined ? undefined : `Bearer ${secret.reveal()}`),
    maxRetries: 0,
    logLevel: 'off',
  });
}

function notABridge({ url }: Access): BridgeFailure {
  return {
    kind: 'refused',
    code: 'not_a_bridge',
    message: `${url} answers, but not as a Hearth bridge`,
  };
}

/** Whether the error has a bridge's form. Its `not_found` means that the address has a wrong path. */
function isOwnRefusal({ error }: APIError): boolean {
  const envelope = errorEnvelope.safeParse({ error });
  return envelope.success && envelope.data.error.code !== ('not_found' satisfies ErrorCode);
}

function answerOf(headers: Headers, asked: string): Answer {
  return {
    model: headers.get(HEADER.model) ?? asked,
    backend: headers.get(HEADER.backend) ?? '',
    gpu: headers.get(HEADER.gpu) || undefined,
    fallback: headers.get(HEADER.fallback) === '1',
  };
}

function failure(error: unknown, access: Access, signal: AbortSignal, deadline: AbortSignal): BridgeFailure {
  if (signal.aborted) return { kind: 'cancelled' };
  if (deadline.aborted)
    return { kind: 'unreachable', code: 'timeout', message: `${access.url} did not answer in time` };
  if (error instanceof APIConnectionError)
    return { kind: 'unreachable', code: 'network', message: `${access.url}: ${rootCause(error)}` };
  if (error instanceof APIError) {
    const envelope = errorEnvelope.safeParse({ error: error.error });
    const message = envelope.success ? envelope.data.error.message : error.message;
    const code = (envelope.success ? envelope.data.error.code : error.code) ?? 'unknown';
    if (error.status === 401) return { kind: 'unauthorised', code: 'invalid_api_key', message };
    if (code === 'superseded') return { kind: 'cancelled' };
    return { kind: 'refused', code, message };
  }
  // The socket broke while the body was read, or the body was no JSON.
  if (error instanceof SyntaxError) return notABridge(access);
  return { kind: 'unreachable', code: 'network', message: `${access.url}: ${rootCause(error)}` };
}

/** fetch says "fetch failed"; what happened stands in its cause. */
function rootCause(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error) cause = cause.errors[0];
  return cause instanceof Error ? cause.message : String(cause);
}
