/** Fetches a known model once: resumed where an earlier attempt was cut, moved into place only if its sum is right. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Agent, errors, interceptors, request } from 'undici';
import type { KnownModel } from './catalogue.ts';

export type DownloadOutcome =
  | { kind: 'there'; path: string }
  /** The hub didn't answer at all: there may be no way out of this machine. */
  | { kind: 'unreachable'; message: string }
  /** The hub answered, but not with the file. What came is kept for the next attempt, unless its sum was wrong. */
  | { kind: 'failed'; message: string };

export interface DownloadOptions {
  readonly folder: string;
  readonly signal: AbortSignal;
  /** From 0 to 1, at most once for each percent. */
  readonly onProgress: (fraction: number) => void;
}

const CONNECT_MS = 3000;
const STALL_MS = 30_000;

/** Path of the model in the folder if it is already there, whole and checked when it was fetched. */
export async function downloaded(model: KnownModel, folder: string): Promise<string | undefined> {
  const path = join(folder, model.file);
  return (await sizeOf(path)) === undefined ? undefined : path;
}

/** Two processes fetching the same model at once would share one partial file; the sum then tells. */
export async function download(model: KnownModel, options: DownloadOptions): Promise<DownloadOutcome> {
  const path = join(options.folder, model.file);
  const part = `${path}.part`;
  await mkdir(options.folder, { recursive: true });
  try {
    const hash = createHash('sha256');
    const had = await hashExisting(part, hash, options.signal);
    if (had < model.bytes) await fetchRest(model, { part, had, hash }, options);
    const sum = hash.digest('hex');
    if (sum !== model.sha256) {
      await rm(part, { force: true });
      return { kind: 'failed', message: `${model.url} has sha256 ${sum}; ${model.sha256} was expected.` };
    }
    await rename(part, path);
    return { kind: 'there', path };
  } catch (error) {
    if (options.signal.aborted) throw error;
    const message = `${model.url}: ${(error as Error).message}`;
    return { kind: isUnreachable(error) ? 'unreachable' : 'failed', message };
  }
}

interface Partial {
  readonly part: string;
  readonly had: number;
  readonly hash: Hash;
}

/** Appends the missing rest to the partial file and the hash. */
async function fetchRest(
  model: KnownModel,
  { part, had, hash }: Partial,
  options: DownloadOptions,
): Promise<void> {
  const agent = new Agent({
    connect: { timeout: CONNECT_MS },
    headersTimeout: STALL_MS,
    bodyTimeout: STALL_MS,
  });
  let received = had;
  try {
    const { statusCode, body } = await request(model.url, {
      dispatcher: agent.compose(interceptors.redirect({ maxRedirections: 5 })),
      signal: options.signal,
      headers: had > 0 ? { range: `bytes=${had}-` } : {},
    });
    if (statusCode !== (had > 0 ? 206 : 200)) {
      await body.dump();
      // A server that ignores Range sends the file from its start: the next attempt is to begin there.
      if (statusCode === 200) await rm(part, { force: true });
      throw new Error(`the server answered ${statusCode}.`);
    }
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        const percent = percentOf(received, model.bytes);
        received += chunk.length;
        if (percentOf(received, model.bytes) > percent) options.onProgress(received / model.bytes);
        done(null, chunk);
      },
    });
    await pipeline(body, count, createWriteStream(part, { flags: 'a' }), { signal: options.signal });
  } finally {
    await agent.destroy();
  }
  if (received < model.bytes) throw new Error(`the transfer ended at ${received} of ${model.bytes} bytes.`);
}

async function hashExisting(part: string, hash: Hash, signal: AbortSignal): Promise<number> {
  const had = await sizeOf(part);
  if (had === undefined) return 0;
  for await (const chunk of createReadStream(part, { signal })) hash.update(chunk as Buffer);
  return had;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function percentOf(part: number, whole: number): number {
  return Math.floor((part / whole) * 100);
}

const UNREACHABLE = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ETIMEDOUT',
]);

function isUnreachable(error: unknown): boolean {
  if (error instanceof errors.ConnectTimeoutError) return true;
  if (error instanceof AggregateError) return error.errors.some(isUnreachable);
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && UNREACHABLE.has(code);
}
