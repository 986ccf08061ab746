/** Starts the real engine as a process on the starter model, for tests; disposing it ends the process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type EngineEvent, engineEvent } from '../../server-bridge/engine-llama/src/events.ts';

const MAIN = fileURLToPath(new URL('../../server-bridge/engine-llama/src/main.ts', import.meta.url));

/** Shared by all test runs of this machine: the starter's file name changes with its sources. */
const CACHE = join(tmpdir(), 'hearth-test-cache');

function spawnEngine(args: readonly string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, XDG_CACHE_HOME: CACHE, ...env },
  });
}

export interface Exit {
  readonly code: number | null;
  readonly events: EngineEvent[];
  readonly stderr: string;
}

/** Runs until the engine exits by itself. */
export async function runToExit(args: readonly string[], env?: Record<string, string>): Promise<Exit> {
  const child = spawnEngine(args, env);
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return { code, stderr, events: lines.map((line) => engineEvent.parse(JSON.parse(line))) };
}

export class RunningEngine implements AsyncDisposable {
  readonly url: string;
  readonly child: ChildProcess;

  constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.child = child;
  }

  /** One figure of /metrics, without its `llamacpp:` prefix. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Number(new RegExp(`^llamacpp:${name} (\\d+)$`, 'm').exec(text)?.[1]);
  }

  post(path: string, body: object | string, signal?: AbortSignal): Promise<Response> {
    return fetch(this.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** A greedy completion's text and why it ended. */
  async complete(prompt: string, more: object = {}): Promise<{ text: string; finish_reason: string }> {
    const response = await this.post('/v1/completions', { prompt, temperature: 0, ...more });
    const body = (await response.json()) as { choices: [{ text: string; finish_reason: string }] };
    return body.choices[0];
  }

  /** Lets go of its standard input, or signals it, and gives its exit code. */
  async stop(how: 'leash' | NodeJS.Signals = 'leash'): Promise<number | null> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    if (how === 'leash') this.child.stdin?.end();
    else this.child.kill(how);
    const [code] = (await once(this.child, 'exit')) as [number | null];
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

/** On a leash, as the bridge starts it. */
export async function startEngine(...args: string[]): Promise<RunningEngine> {
  return await startAlone('--exit-with-parent', ...args);
}

/** As a person or a service manager starts it. */
export async function startAlone(...args: string[]): Promise<RunningEngine> {
  const child = spawnEngine(['--model', 'hearth-starter', '--json', ...args]);
  if (!child.stdout) throw new Error('no stdout');
  child.stderr?.pipe(process.stderr);
  for await (const line of createInterface({ input: child.stdout })) {
    const event = engineEvent.parse(JSON.parse(line));
    if (event.event === 'ready') return new RunningEngine(event.url, child);
  }
  throw new Error('the engine ended before it was ready');
}

/** Polls until the value is as wanted; gives up before mocha does. */
export async function eventually(read: () => Promise<number>, wanted: number): Promise<void> {
  const deadline = Date.now() + 15_000;
  for (let value = await read(); value !== wanted; value = await read()) {
    if (Date.now() > deadline) throw new Error(`it is ${value} still, not ${wanted}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
