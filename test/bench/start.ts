/** `npm start` as a new user waits for it: from the command to the first token. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface StartResults {
  /** Seconds, a run each. */
  seconds: number[];
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RUNS = 5;

export async function measureStart(): Promise<StartResults> {
  const seconds: number[] = [];
  for (let run = 0; run < RUNS; run++) seconds.push(await startToFirstToken());
  return { seconds };
}

/** Seconds from the command to the first token of its self-check. */
async function startToFirstToken(): Promise<number> {
  const started = performance.now();
  const child = spawn('npm', ['start', '--', '--port', '0'], {
    cwd: ROOT,
    env: { ...process.env, LANG: 'C', LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'inherit'],
    // A group of its own, so that ending it ends npm and what npm started.
    detached: true,
  });
  const ended = once(child, 'close');
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      const [, first, total] = /completion: .*first token (\d+) ms, all of it (\d+) ms/.exec(line) ?? [];
      if (first !== undefined) return (performance.now() - started - (Number(total) - Number(first))) / 1_000;
    }
    throw new Error('npm start ended before its self-check');
  } finally {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
    await ended;
  }
}
