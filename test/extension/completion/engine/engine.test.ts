import assert from 'node:assert/strict';
import { CompletionEngine } from '../../../../extension/src/completion/engine/engine.ts';
import type { Ask, Ports } from '../../../../extension/src/completion/engine/engine.ts';

const ASK: Ask = { before: 'x = (', behind: ')', explicit: false, debounceMs: 150 };

/** Ports whose waits and fetches the test ends by hand. */
function ports() {
  const waits: { ms: number; end: () => void }[] = [];
  const fetches: { signal: AbortSignal; answer: (text: string) => void; fail: () => void }[] = [];
  const made: Ports = {
    wait: (ms, signal) =>
      new Promise((resolve) => {
        waits.push({ ms, end: resolve });
        signal.addEventListener('abort', () => resolve());
      }),
    fetch: (_window, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve({ kind: 'cancelled' }));
        fetches.push({
          signal,
          answer: (text) => resolve({ kind: 'ok', text }),
          fail: () => resolve({ kind: 'failed' }),
        });
      }),
  };
  return { made, waits, fetches };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

describe('completion: engine', () => {
  it('waits for a pause, asks, and tidies the answer', async () => {
    const { made, waits, fetches } = ports();
    const outcome = new CompletionEngine().complete(ASK, made, never);
    assert.equal(waits[0]?.ms, 150);
    assert.equal(fetches.length, 0);
    waits[0]?.end();
    await turn();
    fetches[0]?.answer('1 + 2)');
    assert.deepEqual(await outcome, { kind: 'suggestion', text: '1 + 2', replaceAfter: 0 });
  });

  it('asks only once for keystrokes in a row', async () => {
    const { made, waits, fetches } = ports();
    const engine = new CompletionEngine();
    const outcomes = [1, 2, 3].map(() => engine.complete(ASK, made, never));
    for (const { end } of waits) end();
    await turn();
    assert.equal(fetches.length, 1);
    fetches[0]?.answer('1');
    assert.deepEqual(
      (await Promise.all(outcomes)).map(({ kind }) => kind),
      ['cancelled', 'cancelled', 'suggestion'],
    );
  });

  it('aborts the request under way when a newer one comes, or the editor cancels, or it ends', async () => {
    const { made, fetches } = ports();
    const engine = new CompletionEngine();
    const explicit = { ...ASK, explicit: true };
    const first = engine.complete(explicit, made, never);
    await turn();
    const editor = new AbortController();
    const second = engine.complete(explicit, made, editor.signal);
    await turn();
    assert.equal(fetches[0]?.signal.aborted, true);
    editor.abort();
    const third = engine.complete(explicit, made, never);
    await turn();
    engine.cancel();
    for (const outcome of [first, second, third]) assert.deepEqual(await outcome, { kind: 'cancelled' });
  });

  it('doesn’t wait when asked by a key', async () => {
    const { made, waits, fetches } = ports();
    const outcome = new CompletionEngine().complete({ ...ASK, explicit: true }, made, never);
    await turn();
    assert.equal(waits.length, 0);
    fetches[0]?.answer('  ');
    assert.deepEqual(await outcome, { kind: 'nothing' });
  });

  it('passes on that it failed', async () => {
    const { made, fetches } = ports();
    const outcome = new CompletionEngine().complete({ ...ASK, explicit: true }, made, never);
    await turn();
    fetches[0]?.fail();
    assert.deepEqual(await outcome, { kind: 'failed' });
  });
});
