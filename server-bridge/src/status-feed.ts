/** The bridge's state as one document, and as a stream of that document whenever it has changed. */
import type { BridgeStatus } from '@hearth/protocol';

/** Changes closer together than that are told as one: a burst of requests is no news in its single parts. */
const COALESCE_MS = 100;
const COMMENT_MS = 15_000;

export class StatusFeed {
  readonly #read: () => BridgeStatus;
  readonly #wake = new Set<() => void>();
  readonly #closing = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(read: () => BridgeStatus) {
    this.#read = read;
  }

  current(): BridgeStatus {
    return this.#read();
  }

  /** Something may be different now; readers hear of it soon, if it is. */
  changed(): void {
    if (this.#wake.size === 0) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const wake of this.#wake) wake();
    }, COALESCE_MS);
  }

  /**
   * Server-sent events: the whole status first, then again on each change, a comment when nothing happens for long.
   * A reader that is slow skips what was in between. Ends when the signal fires or the feed closes.
   */
  async *events(signal: AbortSignal): AsyncGenerator<string> {
    const ended = AbortSignal.any([signal, this.#closing.signal]);
    let sent = '';
    while (!ended.aborted) {
      // Armed before the reading, so that a change between the two is not lost.
      const change = this.#next(ended);
      const document = JSON.stringify(this.#read());
      yield document === sent ? ': still here\n\n' : `event: status\ndata: ${document}\n\n`;
      sent = document;
      await change;
    }
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  /** Resolves at the next change, at the time for a comment, or at the end. */
  async #next(ended: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, COMMENT_MS);
    this.#wake.add(resolve);
    const wake = () => resolve();
    ended.addEventListener('abort', wake);
    await promise;
    ended.removeEventListener('abort', wake);
    this.#wake.delete(resolve);
    clearTimeout(timer);
  }
}
