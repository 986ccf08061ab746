/** What a swap says of its steps to people. Pure. */
import type { Swap, SwapTask } from './swap.ts';

/** While it is under way. */
export function runningWords({ action, backend }: SwapTask): string {
  switch (action) {
    case 'start':
      return `${backend} is being started`;
    case 'ready':
      return `waiting until ${backend} answers`;
    case 'canary':
      return `${backend} has to prove itself`;
    case 'drain':
      return `${backend} takes nothing new and ends what it runs`;
    case 'stop':
      return `${backend} is being stopped`;
    case 'shift':
    case 'resume':
      return `${backend} takes over`;
  }
}

export function doneWords({ action, backend }: SwapTask, { model }: Swap): string {
  switch (action) {
    case 'start':
      return `${backend} has started`;
    case 'ready':
      return `${backend} answers`;
    case 'canary':
      return `${backend} has proved itself`;
    case 'drain':
      return `nothing runs on ${backend} any more`;
    case 'stop':
      return `${backend} has stopped`;
    case 'shift':
      return `new requests for ${model} go to ${backend}`;
    case 'resume':
      return `${backend} takes requests for ${model} again`;
  }
}

/** Of a failure that the swap goes on without. */
export function warningWords({ action, backend }: SwapTask, reason: string): string {
  switch (action) {
    case 'drain':
      return `${reason}; ${backend} takes nothing new and is not stopped`;
    case 'stop':
      return `${backend} could not be stopped: ${reason}`;
    case 'start':
    case 'ready':
    case 'canary':
      return `${backend} did not come back: ${reason}; it gets requests again as soon as it answers`;
    case 'shift':
    case 'resume':
      return reason;
  }
}

export function tooLate({ action, backend }: SwapTask, limitMs: number): string {
  const limit = inWords(limitMs);
  switch (action) {
    case 'ready':
      return `${backend} did not answer within ${limit}`;
    case 'canary':
      return `${backend} did not prove itself within ${limit}`;
    case 'drain':
      return `${backend} still runs requests after ${limit}`;
    case 'start':
    case 'stop':
    case 'shift':
    case 'resume':
      return `${backend} took longer than ${limit} to ${action}`;
  }
}

/** Of the time in which neither backend answers. */
export function gapWords({ model, cover }: Swap): string {
  return cover === null
    ? `the card can't hold both, and until the new one is ready nobody answers for ${model}`
    : `the card can't hold both, and until the new one is ready ${cover} answers for ${model}`;
}

function inWords(ms: number): string {
  return ms >= 60_000 ? `${Math.round(ms / 60_000)} min` : `${ms / 1_000} s`;
}
