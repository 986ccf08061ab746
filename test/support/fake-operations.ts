/** A bridge's operations without the bridge: two models, two backends, and progress that the test lets go on. */
import {
  HearthError,
  type BridgeStatus,
  type ModelEntry,
  type SwapProgress,
  type SwapStatus,
} from '@hearth/protocol';
import type { Operations } from '../../server-bridge/src/http/operations.ts';

const BACKENDS = ['old', 'new'];

function model(id: string): ModelEntry {
  return {
    id,
    object: 'model',
    created: 0,
    owned_by: 'hearth',
    hearth: {
      title: id === 'coder' ? 'The Coder' : id,
      roles: ['completion'],
      context: 1024,
      fim: 'qwen',
      state: 'ready',
      served_by: 'old',
    },
  };
}

export class FakeOperations implements Operations {
  /** Every call, in order, as a line. */
  readonly calls: string[] = [];
  /** What a swap tells before its last word. */
  steps: SwapProgress[] = [{ step: 'start', state: 'running', detail: 'new is being started' }];
  end: SwapProgress = { step: 'swap', state: 'done', detail: 'new answers for coder' };
  /** What a drain still counts, one after the other. */
  counts = [2, 1, 0];
  /** Awaited after the first event of each operation. */
  gate: Promise<void> = Promise.resolve();
  failure: Error | undefined;
  /** What the status shows as under way. */
  swaps: SwapStatus[] = [];

  models(): ModelEntry[] {
    return [model('coder'), model('chat')];
  }

  status(): BridgeStatus {
    return { version: '0.0.0-test', models: this.models(), backends: [], gpus: [], swaps: this.swaps };
  }

  async *drain(backend: string, signal: AbortSignal) {
    this.calls.push(`drain ${backend}`);
    known(backend);
    signal.addEventListener('abort', () => this.calls.push('drain unwatched'));
    for (const [turn, count] of this.counts.entries()) {
      yield { in_flight: count, queued: 0 };
      if (turn === 0) await this.gate;
      if (this.failure !== undefined) throw this.failure;
    }
  }

  resume(backend: string): void {
    this.calls.push(`resume ${backend}`);
    known(backend);
  }

  swap(name: string, to: string): AsyncIterable<SwapProgress> {
    this.calls.push(`swap ${name} ${to}`);
    known(to);
    if (this.failure !== undefined) throw this.failure;
    return this.#swap();
  }

  async *#swap() {
    for (const [turn, step] of this.steps.entries()) {
      yield step;
      if (turn === 0) await this.gate;
    }
    yield this.end;
  }
}

function known(backend: string): void {
  if (!BACKENDS.includes(backend))
    throw new HearthError(
      'not_found',
      `There is no backend "${backend}" here. Known: ${BACKENDS.join(', ')}.`,
    );
}
