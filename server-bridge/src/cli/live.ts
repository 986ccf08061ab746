/** What the commands for a running bridge have in common: finding it, printing, and Ctrl-C that only stops watching. */
import { loadConfig } from '../config.ts';
import { ControlClient } from './control-client.ts';

export interface LiveOptions {
  config?: string;
  json?: boolean;
}

/** The bridge that runs with the configuration's state_dir. */
export function runningBridge(options: LiveOptions): ControlClient {
  return new ControlClient(loadConfig(options.config).config.state_dir);
}

/** Reads progress to its end; `left` if Ctrl-C came first. */
export async function watch<Progress>(
  progress: (signal: AbortSignal) => AsyncIterable<Progress>,
  onProgress: (one: Progress) => void,
): Promise<'ended' | 'left'> {
  const left = new AbortController();
  const leave = () => left.abort();
  process.once('SIGINT', leave);
  try {
    for await (const one of progress(left.signal)) onProgress(one);
  } finally {
    process.off('SIGINT', leave);
  }
  return left.signal.aborted ? 'left' : 'ended';
}

export function print(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
