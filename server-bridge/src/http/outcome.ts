/** Answers that are none: what failed here, and what a backend refused, as the error that a client gets. */
import { HearthError, toEnvelope } from '@hearth/protocol';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Outcome } from '../gateway.ts';
import { answerHeaders } from './answer-headers.ts';
import { sendError } from './errors.ts';

type Ended = Exclude<Outcome, { kind: 'done' }>;

export function outcomeError(outcome: Ended): HearthError {
  if (outcome.kind === 'failed') return outcome.error;
  const message = messageIn(outcome.body) ?? `The backend refused the request with status ${outcome.status}.`;
  return new HearthError(outcome.status === 413 ? 'context_too_long' : 'invalid_request', message);
}

/** A backend's own 4xx keeps its status. */
export function sendOutcome(reply: FastifyReply, request: FastifyRequest, outcome: Ended): void {
  if (outcome.kind === 'failed') {
    sendError(reply, request, outcome.error);
    return;
  }
  const { body } = toEnvelope(outcomeError(outcome), request.id);
  body.error.source = 'backend';
  void reply.headers(answerHeaders(outcome.by)).status(outcome.status).send(body);
}

function messageIn(body: string): string | undefined {
  try {
    const parsed = JSON.parse(body) as {
      error?: { message?: unknown } | string;
      message?: unknown;
      detail?: unknown;
    };
    const candidates = [
      typeof parsed.error === 'string' ? parsed.error : parsed.error?.message,
      parsed.message,
      parsed.detail,
    ];
    return candidates.find((one): one is string => typeof one === 'string');
  } catch {
    // Not JSON: nothing of it is fit for a client.
    return undefined;
  }
}
