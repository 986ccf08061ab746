/** Streams that the client leaves, mid-way or before the first token: the moments are kept, to be compared upstream. */
import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from '../clock.ts';
import { Client } from './client.ts';
import type { AbandonOrder, AbandonReport } from './orders.ts';

export async function abandon({
  target,
  script,
  count,
  afterMs,
  everyMs,
}: AbandonOrder): Promise<AbandonReport> {
  const client = new Client(target);
  const abandonedUs: [number, number][] = [];
  const one = async () => {
    const stream = client.start(script, { onEnd: () => undefined });
    await sleep(afterMs);
    abandonedUs.push([stream.id, nowUs()]);
    stream.destroy();
  };
  const all: Promise<void>[] = [];
  for (let index = 0; index < count; index++) {
    all.push(one());
    await sleep(everyMs);
  }
  await Promise.all(all);
  client.close();
  return { abandonedUs };
}
