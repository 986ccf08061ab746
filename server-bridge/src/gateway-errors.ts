/** Answers that nobody gave, or gave to the end, as the errors that clients get. Pure. */
import { HearthError } from '@hearth/protocol';
import type { Failure } from './backends/replies.ts';
import type { Refusal } from './routing/dispatcher.ts';

/** A part of the answer may be out: it broke off. */
export function lost({ cause, message }: Failure): HearthError {
  return new HearthError(
    cause === 'timeout' ? 'backend_timeout' : 'backend_lost',
    `The answer broke off: ${message}.`,
  );
}

/** The dispatcher's refusal. */
export function refused(refusal: Refusal): HearthError {
  switch (refusal.kind) {
    case 'unknown_model':
      return new HearthError(
        'model_not_found',
        `There is no model "${refusal.asked}" here. Known: ${refusal.known.join(', ')}.`,
        { param: 'model' },
      );
    case 'queue_full': {
      const { waiting, waitedMs, retryAfterS } = refusal;
      const message =
        waitedMs === undefined
          ? `${waiting} requests are waiting already.`
          : `There was no free place for ${Math.round(waitedMs / 1_000)} s; ${waiting} requests are waiting.`;
      return new HearthError('queue_full', message, { retryAfterS });
    }
    case 'too_long':
    case 'no_backend': {
      const reasons = refusal.passedOver.map(({ backend, reason }) => `${backend} (${reason})`).join('; ');
      if (refusal.kind === 'too_long')
        return new HearthError(
          'context_too_long',
          `The request is too long for "${refusal.model}": ${reasons}.`,
        );
      return new HearthError('no_backend', `No backend can answer for "${refusal.model}": ${reasons}.`, {
        retryAfterS: refusal.retryAfterS,
      });
    }
  }
}
