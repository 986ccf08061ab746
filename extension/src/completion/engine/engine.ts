/** One completion at a time: waits for a pause in the typing, drops the older request, tidies the answer. Knows no clock. */
import { postprocess } from './postprocess.ts';
import type { Insertion } from './postprocess.ts';
import { windowAround } from './window.ts';

export type Ask = {
  /** The document's text up to the cursor, and from it on; more than the window is cut off. */
  before: string;
  behind: string;
  /** Asked for by a key press: then there is no pause to wait for. */
  explicit: boolean;
  debounceMs: number;
};

/** `nothing`: the model has nothing to add. `failed`: the caller has been told elsewhere why. */
export type Outcome =
  ({ kind: 'suggestion' } & Insertion) | { kind: 'nothing' } | { kind: 'cancelled' } | { kind: 'failed' };

export type Ports = {
  /** Resolves after the time, or at once when the signal is aborted. */
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Asks the model for what belongs between the two. */
  fetch: (
    window: { prefix: string; suffix: string },
    signal: AbortSignal,
  ) => Promise<{ kind: 'ok'; text: string } | { kind: 'cancelled' } | { kind: 'failed' }>;
};

export class CompletionEngine {
  #latest = new AbortController();

  /** Asking again cancels whatever was asked before, waiting or under way. */
  async complete(ask: Ask, ports: Ports, signal: AbortSignal): Promise<Outcome> {
    this.#latest.abort();
    const own = new AbortController();
    this.#latest = own;
    const both = AbortSignal.any([signal, own.signal]);
    if (!ask.explicit) await ports.wait(ask.debounceMs, both);
    if (both.aborted) return { kind: 'cancelled' };
    const window = windowAround(ask.before, ask.behind);
    const reply = await ports.fetch(window, both);
    if (both.aborted) return { kind: 'cancelled' };
    if (reply.kind !== 'ok') return reply;
    const insertion = postprocess(reply.text, window.suffix);
    return insertion === undefined ? { kind: 'nothing' } : { kind: 'suggestion', ...insertion };
  }

  /** Cancels what is waiting or under way. */
  cancel(): void {
    this.#latest.abort();
  }
}
