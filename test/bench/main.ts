/** `npm run bench`: measures what the documentation claims and writes BENCHMARKS.md. Needs an otherwise idle machine. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { startBridge, twoBackends } from '../support/bridge.ts';
import { says, startFakeBackend } from '../support/fake-backend.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const START_RUNS = 5;
const PAIRS = 500;

const quantile = (values: number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * q)] ?? Number.NaN;

/** Seconds from the command to the first token of its self-check, as a user waits for it. */
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

/** Milliseconds from a request to the first byte of the reply's body. */
async function firstByte(url: string): Promise<number> {
  const started = performance.now();
  const reply = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: 'const answer = ', stream: true, max_tokens: 8 }),
  });
  const reader = reply.body?.getReader();
  await reader?.read();
  const ms = performance.now() - started;
  while ((await reader?.read())?.done === false);
  return ms;
}

async function overhead(): Promise<{ direct: number[]; through: number[] }> {
  await using backend = await startFakeBackend(says('4', '2'));
  await using bridge = await startBridge(twoBackends(backend.url, backend.url));
  const direct: number[] = [];
  const through: number[] = [];
  for (let pair = 0; pair < PAIRS; pair++) {
    direct.push(await firstByte(backend.url));
    through.push(await firstByte(bridge.url));
  }
  // The first tenth warms both up.
  return { direct: direct.slice(PAIRS / 10), through: through.slice(PAIRS / 10) };
}

const starts: number[] = [];
for (let run = 0; run < START_RUNS; run++) starts.push(await startToFirstToken());
const { direct, through } = await overhead();
const row = (name: string, values: number[]) =>
  `| ${name} | ${quantile(values, 0.5).toFixed(2)} | ${quantile(values, 0.95).toFixed(2)} |`;

const page = `# Benchmarks

Written by \`npm run bench\`; edits here are lost. Timings differ from machine to machine: read the ratios.

Machine: ${availableParallelism()} cores, ${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.versions.node}.

## \`npm start\` to the first token

From the command, in an installed tree, to the first token of the self-check's completion; the starter model, whose
hub can't be reached. ${START_RUNS} runs: median **${quantile(starts, 0.5).toFixed(1)} s**, fastest
${quantile(starts, 0).toFixed(1)} s, slowest ${quantile(starts, 1).toFixed(1)} s.

## What the bridge adds to the first token

${PAIRS} pairs, in turn, of the same streamed request straight to a backend that answers at once and through the
bridge; milliseconds to the first byte of the reply.

| | p50 | p95 |
| --- | --- | --- |
${row('straight to the backend', direct)}
${row('through the bridge', through)}

Added at the median: **${(quantile(through, 0.5) - quantile(direct, 0.5)).toFixed(2)} ms**, ${(quantile(through, 0.5) / quantile(direct, 0.5)).toFixed(1)} times the bare loopback round trip. Client, bridge and backend share this machine's cores.
`;
const file = `${ROOT}BENCHMARKS.md`;
await writeFile(file, await format(page, { ...(await resolveConfig(file)), filepath: file }));
console.log(page);
