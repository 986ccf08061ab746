/** Closed loop: so many streams at once, each followed by the next, to find how much goes through or to hold a level. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type Running } from './client.ts';
import type { ConcurrentOrder, ConcurrentReport } from './orders.ts';
import { openWindow } from './window.ts';

export async function concurrent(order: ConcurrentOrder): Promise<ConcurrentReport> {
  const { target, script, concurrency, warmMs, ms } = order;
  const client = new Client(target);
  const running = new Set<Running>();
  let over = false;
  let completed = 0;
  let failed = 0;
  let completeTokens = 0;

  const begin = () => {
    const stream = client.start(script, {
      onEnd(whole, reader) {
        running.delete(stream);
        if (over) return;
        // More events than tokens: the role, the finish reason and `[DONE]` come beside them.
        if (whole && reader.events > script.tokens) {
          completed += 1;
          completeTokens += script.tokens;
        } else failed += 1;
        // Not at once after a failure: what refuses everything must not be hammered.
        if (whole) begin();
        else setTimeout(begin, 100);
      },
    });
    running.add(stream);
  };
  const tokens = () => {
    let sum = completeTokens;
    for (const stream of running) sum += Math.min(script.tokens, Math.max(0, stream.events() - 1));
    return sum;
  };

  try {
    await client.warm(concurrency);
    // Spread over a stream's length, so that they don't all begin and end together.
    const spreadMs = Math.min(1_000, (script.tokens * script.gapUs) / 1_000);
    for (let stream = 0; stream < concurrency; stream++) {
      begin();
      if (spreadMs > 0 && concurrency > 1) await sleep(spreadMs / concurrency);
    }
    await sleep(warmMs);
    const before = { completed, failed };
    const window = openWindow(target, tokens);
    await sleep(ms);
    const seen = window();
    over = true;
    return { ...seen, completed: completed - before.completed, failed: failed - before.failed };
  } finally {
    over = true;
    client.close();
  }
}
