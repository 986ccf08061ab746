/** Open loop: streams begin when the schedule says, so a slow gateway can't make its own load lighter. */
import { setTimeout as sleep } from 'node:timers/promises';
import { nowUs } from '../clock.ts';
import { Client, type Running } from './client.ts';
import type { ArrivalsOrder, ArrivalsReport } from './orders.ts';
import { openWindow } from './window.ts';

/** Connections opened ahead; the streams at once are about a third of a second's. */
const WARM_CONNECTIONS = 64;
/** For the last streams to end after the last arrival. */
const GRACE_MS = 5_000;

export async function arrivals(order: ArrivalsOrder): Promise<ArrivalsReport> {
  const { target, script, perSecond, warmMs, ms } = order;
  const client = new Client(target);
  const firstTokenMs: number[] = [];
  const gapErrorMs: number[] = [];
  const lateMs: number[] = [];
  const running = new Set<Running>();
  let started = 0;
  let failed = 0;
  let tokens = 0;
  let measuring = false;

  const begin = () => {
    const beganUs = nowUs();
    const measured = measuring;
    let arrivedUs = 0;
    let sentUs = 0;
    if (measured) started += 1;
    const stream = client.start(script, {
      onToken(thisSentUs) {
        const us = nowUs();
        tokens += 1;
        if (measured) {
          if (arrivedUs === 0) firstTokenMs.push((us - beganUs) / 1_000);
          else gapErrorMs.push(Math.abs(us - arrivedUs - (thisSentUs - sentUs)) / 1_000);
        }
        arrivedUs = us;
        sentUs = thisSentUs;
      },
      onEnd(whole) {
        running.delete(stream);
        if (measured && !whole) failed += 1;
      },
    });
    running.add(stream);
  };

  try {
    await client.warm(WARM_CONNECTIONS);
    const startUs = nowUs();
    const dues = schedule(perSecond, warmMs + ms);
    let window: ReturnType<typeof openWindow> | undefined;
    for (const dueMs of dues) {
      const wait = dueMs - (nowUs() - startUs) / 1_000;
      if (wait > 0) await sleep(wait);
      if (!measuring && dueMs >= warmMs) {
        measuring = true;
        window = openWindow(target, () => tokens);
      }
      if (measuring) lateMs.push((nowUs() - startUs) / 1_000 - dueMs);
      begin();
    }
    if (window === undefined) throw new Error('the schedule had no arrivals to measure');
    const seen = window();
    for (let waited = 0; running.size > 0 && waited < GRACE_MS; waited += 20) await sleep(20);
    return {
      ...seen,
      started,
      failed: failed + running.size,
      firstTokenMs: Float64Array.from(firstTokenMs),
      gapErrorMs: Float64Array.from(gapErrorMs),
      lateMs: Float64Array.from(lateMs),
    };
  } finally {
    client.close();
  }
}

/** Milliseconds of each arrival: independent ones (Poisson), the same in every run so that arms get the same load. */
function schedule(perSecond: number, ms: number): number[] {
  // A small linear congruential generator (Numerical Recipes' constants): chance that can be repeated.
  let state = 20_260_101;
  const chance = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 1) / 2 ** 32;
  };
  const dues: number[] = [];
  for (let at = 0; ;) {
    at += (-Math.log(chance()) * 1_000) / perSecond;
    if (at >= ms) return dues;
    dues.push(at);
  }
}
