/**
 * A model server that is a real process, so that it can really be killed, stopped and cut off. What it does to a
 * request is a list of steps; a `hold` says that it has come so far, and waits for `go`, or for its end.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./scripted-server-main.ts', import.meta.url));

export type Step =
  | { do: 'head'; status?: number; type?: string }
  /** The chunk that only announces who speaks. */
  | { do: 'role' }
  | { do: 'token'; text: string }
  /** The chunk with the finish reason. */
  | { do: 'finish' }
  | { do: 'done' }
  | { do: 'write'; base64: string }
  /** That text so many times, as fast as it is taken; `flooded` counts what was. */
  | { do: 'flood'; text: string; times: number }
  /** From here on, that text again and again beside all that follows. */
  | { do: 'every'; ms: number; text: string }
  | { do: 'hold' }
  | { do: 'reset' }
  | { do: 'end' };

export type Order = { kind: 'script'; steps: Step[] } | { kind: 'go' };

export type Report =
  | { kind: 'listening'; port: number }
  | { kind: 'ready' }
  | { kind: 'request'; path: string; body: Record<string, unknown>; isCanary: boolean }
  | { kind: 'held' }
  | { kind: 'flooded'; times: number }
  | { kind: 'closed'; number: number; whole: boolean };

export const head: Step = { do: 'head' };
export const role: Step = { do: 'role' };
export const finish: Step = { do: 'finish' };
export const done: Step = { do: 'done' };
export const hold: Step = { do: 'hold' };
export const reset: Step = { do: 'reset' };
export const end: Step = { do: 'end' };
export const token = (text: string): Step => ({ do: 'token', text });
export const write = (data: string | Uint8Array): Step => ({
  do: 'write',
  base64: Buffer.from(data as string).toString('base64'),
});

/** A whole answer of these tokens, as it should be. */
export function answer(...tokens: string[]): Step[] {
  return [head, role, ...tokens.map(token), finish, done, end];
}

export interface Seen {
  path: string;
  body: Record<string, unknown>;
}

export class ScriptedServer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #ready = 0;
  #held = 0;
  port = 0;
  /** Times that a flood's text has been taken by the connection. */
  flooded = 0;
  canaries = 0;
  readonly seen: Seen[] = [];
  /** How requests ended: whether their reply was whole, in the order of their ends. */
  readonly closed: boolean[] = [];

  constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (report: Report) => {
      this.#hear(report);
      for (const look of this.#waiting) look();
    });
    child.once('exit', () => {
      for (const look of this.#waiting) look();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** What the next requests get. What was seen of those before is forgotten. */
  async play(...steps: Step[]): Promise<void> {
    const before = this.#ready;
    this.seen.length = 0;
    this.closed.length = 0;
    this.flooded = 0;
    this.#held = 0;
    this.#child.send({ kind: 'script', steps } satisfies Order);
    await this.until(() => this.#ready > before);
  }

  /** Resolves when a request has come to a hold, once for each. */
  async held(): Promise<void> {
    await this.until(() => this.#held > 0);
    this.#held--;
  }

  go(): void {
    this.#child.send({ kind: 'go' } satisfies Order);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** By `kill -9`. Resolves when it is gone. */
  async killed(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill('SIGKILL');
    await once(this.#child, 'exit');
  }

  /** Resolves when the check holds, which is looked at whenever the process has told something. */
  async until(check: () => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const look = () => {
      if (check()) resolve();
      else if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        reject(new Error('the scripted server has ended'));
    };
    this.#waiting.add(look);
    look();
    await promise.finally(() => this.#waiting.delete(look));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killed();
  }

  #hear(report: Report): void {
    if (report.kind === 'listening') this.port = report.port;
    else if (report.kind === 'ready') this.#ready++;
    else if (report.kind === 'held') this.#held++;
    else if (report.kind === 'flooded') this.flooded = report.times;
    else if (report.kind === 'closed') this.closed.push(report.whole);
    else if (report.isCanary) this.canaries++;
    else this.seen.push({ path: report.path, body: report.body });
  }
}

/** Starts one on a free loopback port. `inside` is put before its argument vector, to run it in a namespace. */
export async function startScriptedServer(
  steps: Step[] = answer('hello'),
  { host = '127.0.0.1', port = 0, inside = [] as string[] } = {},
): Promise<ScriptedServer> {
  const [program, ...args] = [...inside, process.execPath, MAIN, host, String(port)];
  const child = spawn(program ?? '', args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const server = new ScriptedServer(child);
  await server.until(() => server.port > 0);
  await server.play(...steps);
  return server;
}
