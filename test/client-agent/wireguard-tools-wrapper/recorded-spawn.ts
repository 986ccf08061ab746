/** A stand-in for Node's `spawn` that records what it is given, stdin text too, and answers as it is told. */
import { ChildProcess } from 'node:child_process';
import type { spawn, SpawnOptions } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';

export interface Call {
  program: string;
  args: readonly string[];
  env: Record<string, string | undefined>;
  /** What the program would read from /dev/stdin; null without one. */
  input: string | null;
}

interface Answer {
  stdout?: string;
  stderr?: string;
  status?: number;
  /** Never ends unless it is killed. */
  hangs?: boolean;
}

export function recordSpawn(answer: (line: string) => Answer): { spawn: typeof spawn; calls: Call[] } {
  const calls: Call[] = [];
  const fake = (program: string, args: readonly string[], options: SpawnOptions) => {
    const stdin = Array.isArray(options.stdio) ? options.stdio[0] : undefined;
    const input = typeof stdin === 'number' ? readFileSync(`/proc/self/fd/${stdin}`, 'utf8') : null;
    calls.push({ program, args, env: options.env ?? {}, input });
    const { stdout = '', stderr = '', status = 0, hangs = false } = answer([program, ...args].join(' '));
    const child = new ChildProcess();
    child.stdout = new PassThrough().end(stdout);
    child.stderr = new PassThrough().end(stderr);
    const end = (code: number | null) => setImmediate(() => child.emit('close', code));
    child.kill = () => {
      end(null);
      return true;
    };
    if (!hangs) end(status);
    return child;
  };
  // The wrapper calls one of spawn's many forms, the one above.
  return { spawn: fake as typeof spawn, calls };
}
