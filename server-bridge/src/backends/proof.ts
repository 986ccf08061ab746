/** Has a backend prove itself: one small fixed request, judged against what the same backend said to it before. */
import type { HealthEvent } from '../routing/health.ts';
import { ask } from './ask.ts';
import type { Backend, Server } from './backend.ts';
import { canaryRequest, judge, type CanaryRequest, type Verdict } from './canary.ts';

/** What came of it, and what is wrong with its fill-in-the-middle alone; null where that is right, or isn't served. */
export interface Proved {
  event: HealthEvent;
  fimFault: string | null;
}

export class Proof {
  readonly #backend: Backend;
  /** The last sound answer to each request. */
  readonly #references = new Map<string, string>();

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** Never rejects. */
  async ask(server: Server, signal: AbortSignal): Promise<Proved> {
    const { config } = this.#backend;
    const request = canaryRequest(config, server);
    const event = await this.#proved(request, server, signal);
    if (request.kind !== 'fim' || event.kind !== 'unsound' || !config.serves.includes('chat'))
      return { event, fimFault: null };
    // A wrong format spoils completions and nothing else: whoever only wants to chat needn't do without.
    const chatting = canaryRequest({ ...config, serves: ['chat'] }, server);
    return { event: await this.#proved(chatting, server, signal), fimFault: event.reason };
  }

  /** Asks once, and once more if the answer is another one than before: that has to be sound as well. */
  async #proved(request: CanaryRequest, server: Server, signal: AbortSignal): Promise<HealthEvent> {
    const name = JSON.stringify(request);
    let verdict = await this.#judged(request, server, signal, this.#references.get(name));
    if (verdict.kind === 'differs')
      verdict = await this.#judged(request, server, signal, verdict.fingerprint);
    if (verdict.kind !== 'sound' && verdict.kind !== 'differs') return verdict;
    // A model that never says the same twice, as some do with others beside them in a batch, is sound all the same.
    this.#references.set(name, verdict.fingerprint);
    return { kind: 'proved' };
  }

  async #judged(
    request: CanaryRequest,
    server: Server,
    signal: AbortSignal,
    reference: string | undefined,
  ): Promise<Verdict | HealthEvent> {
    const asked = await ask(this.#backend.upstream, server.url, request, signal);
    switch (asked.kind) {
      case 'answered':
        return judge(request.kind, asked.answer, reference);
      case 'refused':
        return {
          kind: 'unsound',
          reason: `it refuses its canary (${asked.status}): ${asked.body.slice(0, 200)}`,
        };
      case 'failed':
        return asked.cause === 'gone'
          ? { kind: 'gone', reason: asked.message }
          : { kind: 'failed', reason: `its canary failed: ${asked.message}` };
    }
  }
}
