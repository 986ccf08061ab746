/** The preferred of two upstreams is killed and started again: how long clients are without an answer, and without it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Arm } from '../arms/arm.ts';
import { nowUs } from '../clock.ts';
import { UpstreamProcess } from '../workers.ts';
import { watch } from '../watch.ts';

export interface Recovery {
  /** From `kill -9` to the end of the next whole answer, and the requests that failed in between. */
  answeredAfterMs: number;
  failed: number;
  /** From its listening again to the first request that it got; null: not within half a minute. */
  usedAgainAfterMs: number | null;
}

const SHORT = { tokens: 4, gapUs: 0, firstUs: 0, cutAfter: 0 };
const TIMEOUT_MS = 5_000;
const LIMIT_MS = 30_000;
/** Between two requests of the one client. */
const PAUSE_MS = 10;

export async function recovery(arm: Arm, folder: string, times: number): Promise<Recovery[]> {
  await using stack = new AsyncDisposableStack();
  const preferred = stack.use(await UpstreamProcess.start());
  const other = stack.use(await UpstreamProcess.start());
  const running = stack.use(await arm.start({ upstreamPorts: [preferred.port, other.port], folder }));
  const ask = async () => {
    const { status, done } = await watch(running, SHORT, TIMEOUT_MS);
    return status === 200 && done;
  };
  const untilUsed = async (upstream: UpstreamProcess) => {
    const fromUs = nowUs();
    while ((await upstream.served()) === 0) {
      if ((nowUs() - fromUs) / 1_000 > LIMIT_MS) return null;
      await ask();
      await sleep(PAUSE_MS);
    }
    return (nowUs() - fromUs) / 1_000;
  };

  if ((await untilUsed(preferred)) === null) throw new Error('the preferred upstream was never used');
  const results: Recovery[] = [];
  let current = preferred;
  for (let time = 0; time < times; time++) {
    const killedUs = nowUs();
    await current.kill();
    let failed = 0;
    while (!(await ask())) {
      failed += 1;
      if ((nowUs() - killedUs) / 1_000 > LIMIT_MS)
        throw new Error('no answer came after the upstream was killed');
    }
    const answeredAfterMs = (nowUs() - killedUs) / 1_000;
    // A while without it, as in life; then it comes back where it was.
    await sleep(1_000);
    const again = stack.use(await UpstreamProcess.start(preferred.port));
    results.push({ answeredAfterMs, failed, usedAgainAfterMs: await untilUsed(again) });
    current = again;
  }
  return results;
}
