/** The last results of each benchmark, kept in the tree as JSON; BENCHMARKS.md is made of all of them. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { format, resolveConfig } from 'prettier';
import manifest from '../../package.json' with { type: 'json' };
import type { BridgeResults } from './bridge/measure-all.ts';
import type { SoakResults } from './bridge/soak.ts';
import type { StartResults } from './start.ts';

/** When and where, without which no figure means anything. */
export interface Run {
  at: string;
  /** The project's version, and the commit with `+` when the tree had changes. */
  version: string;
  commit: string;
  node: string;
  cores: number;
  processor: string;
  memoryGb: number;
  linux: string;
}

interface ResultsOf {
  start: StartResults;
  bridge: BridgeResults;
  soak: SoakResults;
}

export type Stored<Name extends keyof ResultsOf> = { run: Run } & ResultsOf[Name];

const fileOf = (name: string) => fileURLToPath(new URL(`./results/${name}.json`, import.meta.url));

/** Undefined when it has never been measured. */
export async function readResults<Name extends keyof ResultsOf>(
  name: Name,
): Promise<Stored<Name> | undefined> {
  if (!existsSync(fileOf(name))) return undefined;
  return JSON.parse(await readFile(fileOf(name), 'utf8')) as Stored<Name>;
}

export async function storeResults<Name extends keyof ResultsOf>(
  name: Name,
  results: ResultsOf[Name],
  file = fileOf(name),
): Promise<void> {
  const stored: Stored<Name> = { run: await thisRun(), ...results };
  const text = JSON.stringify(stored, rounded);
  await writeFile(file, await format(text, { ...(await resolveConfig(fileOf(name))), parser: 'json' }));
}

async function thisRun(): Promise<Run> {
  return {
    at: new Date().toISOString(),
    version: manifest.version,
    commit: await commit(),
    node: process.versions.node,
    cores: availableParallelism(),
    processor: cpus()[0]?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    linux: release(),
  };
}

async function commit(): Promise<string> {
  const git = async (...args: string[]) =>
    (await promisify(execFile)('git', args, { cwd: fileURLToPath(new URL('../..', import.meta.url)) }))
      .stdout;
  try {
    const changed = (await git('status', '--porcelain', '--', 'server-bridge', 'test/bench/**.ts')) !== '';
    return `${(await git('rev-parse', '--short', 'HEAD')).trim()}${changed ? '+' : ''}`;
  } catch {
    return 'unknown';
  }
}

/** Nobody reads the tenth digit, and a diff of the results should be readable. */
const rounded = (_key: string, value: unknown) =>
  typeof value === 'number' ? Number(value.toPrecision(5)) : value;
