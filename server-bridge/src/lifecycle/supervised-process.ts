/**
 * A child process that is to run until it is told to end: watched, started again with back-off when it dies, and ended
 * by asking first and killing after a while.
 *
 * What a `kill -9` of the bridge leaves behind depends on how the child ends: one that hangs on its standard input goes
 * with the bridge; one in a process group of its own stays, and holds its port.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface SupervisedProgram {
  command: readonly [program: string, ...args: string[]];
  /**
   * How it is asked to end. `input`: its standard input closes, which it takes for its end. `group`: SIGTERM to the
   * process group that it leads, so that what it has started ends too; a terminal's Ctrl-C doesn't reach that group.
   */
  ends: 'input' | 'group';
  /** Milliseconds between asking and killing. */
  patienceMs: number;
  onStart: () => void;
  onLine: (line: string, stream: 'stdout' | 'stderr') => void;
  /** It has ended, or could not be started. */
  onEnd: (end: ProcessEnd) => void;
}

export interface ProcessEnd {
  /** In words for a person. */
  reason: string;
  /** Milliseconds until it is started again; undefined when it was told to end. */
  retryMs: number | undefined;
}

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
/** For the system to take away what was killed; what hangs in a driver can't be. */
const KILLED_MS = 5_000;
const KILLED_GROUP_MS = 1_000;
/** For the last output to arrive when something that left the group still holds the pipes. */
const LAST_OUTPUT_MS = 1_000;
const POLL_MS = 20;

export class SupervisedProcess {
  readonly #program: SupervisedProgram;
  readonly #stop = new AbortController();
  #child: ChildProcess | undefined;
  #proven = false;
  #killed = false;
  #running: Promise<void> = Promise.resolve();

  constructor(program: SupervisedProgram) {
    this.#program = program;
  }

  /** The process's id while it runs. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * Call once. Resolves when the process runs, not when it is ready; rejects if it can't be started, in words. It is
   * tried again even then, until `close`.
   */
  async start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#running = this.#keepRunning(resolve, reject);
    await promise;
  }

  /** It works: should it die, it is started again soon. */
  ready(): void {
    this.#proven = true;
  }

  /** Resolves when it is gone; rejects if it doesn't go even when killed. */
  async close(): Promise<void> {
    this.#stop.abort();
    const child = this.#child;
    if (child !== undefined) this.#ask(child);
    const { patienceMs } = this.#program;
    const patience = setTimeout(() => this.#child && this.#kill(this.#child, 'SIGKILL'), patienceMs);
    const given = new AbortController();
    const stuck = sleep(patienceMs + KILLED_MS, 'stuck', { signal: given.signal }).catch(ignoreAbort);
    const outcome = await Promise.race([this.#running, stuck]);
    clearTimeout(patience);
    given.abort();
    if (outcome === 'stuck') throw new Error(`process ${child?.pid} does not end, even when it is killed`);
  }

  async #keepRunning(started: () => void, notStarted: (error: Error) => void): Promise<void> {
    let delay = FIRST_RETRY_MS;
    while (!this.#stop.signal.aborted) {
      this.#proven = false;
      this.#program.onStart();
      const reason = await this.#runOnce(started, notStarted);
      if (this.#proven) delay = FIRST_RETRY_MS;
      const retryMs = this.#stop.signal.aborted ? undefined : delay;
      this.#program.onEnd({ reason, retryMs });
      if (retryMs === undefined) return;
      await sleep(retryMs, undefined, { signal: this.#stop.signal }).catch(ignoreAbort);
      delay = Math.min(delay * 2, LAST_RETRY_MS);
    }
  }

  /** One life of the process; the reason of its end. */
  async #runOnce(started: () => void, notStarted: (error: Error) => void): Promise<string> {
    const [program, ...args] = this.#program.command;
    const group = this.#program.ends === 'group';
    let child;
    try {
      child = spawn(program, args, {
        stdio: [group ? 'ignore' : 'pipe', 'pipe', 'pipe'],
        detached: group,
      });
      await once(child, 'spawn');
    } catch (error) {
      const reason = startFailure(program, error as NodeJS.ErrnoException);
      notStarted(new Error(reason, { cause: error }));
      return reason;
    }
    this.#child = child;
    this.#killed = false;
    const closed = once(child, 'close');
    for (const stream of ['stdout', 'stderr'] as const)
      createInterface({ input: child[stream]! }).on('line', (line) => this.#program.onLine(line, stream));
    if (group) leaders.add(child);
    // It may have been told to end while it came up.
    if (this.#stop.signal.aborted) this.#ask(child);
    started();

    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    if (group) await this.#endGroup(child);
    leaders.delete(child);
    await Promise.race([closed, sleep(LAST_OUTPUT_MS, undefined, { ref: false })]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    this.#child = undefined;
    return `its process ended (${child.signalCode ?? `exit code ${child.exitCode}`})`;
  }

  /** Those the leader leaves behind had the same signal as it and get the same patience; a dead leader's get none. */
  async #endGroup(leader: ChildProcess): Promise<void> {
    if (!this.#stop.signal.aborted) this.#kill(leader, 'SIGKILL');
    // Bounded: what nobody collects, or hangs in a driver, stays in the group even when killed.
    for (
      let waited = 0;
      waited < KILLED_GROUP_MS && signalGroup(leader, 0);
      waited += this.#killed ? POLL_MS : 0
    )
      await sleep(POLL_MS);
  }

  #ask(child: ChildProcess): void {
    if (this.#program.ends === 'input') child.stdin?.end();
    else this.#kill(child, 'SIGTERM');
  }

  #kill(child: ChildProcess, signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL') this.#killed = true;
    if (this.#program.ends === 'group') signalGroup(child, signal);
    else child.kill(signal);
  }
}

/** Leaders of groups alive: a bridge that exits in a hurry takes them along. */
const leaders = new Set<ChildProcess>();
process.on('exit', () => {
  for (const leader of leaders) signalGroup(leader, 'SIGKILL');
});

/** False if nobody is left in the group. */
function signalGroup(leader: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  if (leader.pid === undefined) return false;
  try {
    return process.kill(-leader.pid, signal);
  } catch (error) {
    // EPERM: somebody is left, under another user.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function startFailure(program: string, error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return `there is no program "${program}"`;
  if (error.code === 'EACCES') return `"${program}" may not be run: no permission`;
  return `"${program}" can't be started: ${error.message}`;
}

function ignoreAbort(error: unknown): undefined {
  if ((error as Error).name !== 'AbortError') throw error;
}
