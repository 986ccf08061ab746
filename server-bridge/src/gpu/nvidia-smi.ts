/**
 * Asks nvidia-smi about the NVIDIA cards: one run at a time, each with a deadline.
 *
 * When a card is in trouble the tool can hang in the driver (state D), where no signal ends it. Then it is left behind,
 * and no other one is started until it has gone: they would only pile up behind it.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { findProgram } from '../lifecycle/runners/system-command.ts';
import { FIELDS, lookAt, readAnswer, smiArguments, without, type Answer } from './nvidia-csv.ts';
import type { CardName, GpuSource, Look } from './reading.ts';

export interface NvidiaSmiOptions {
  /** Where the tool may be; PATH is not asked. */
  folders?: readonly string[];
  /** Milliseconds for one run. */
  deadlineMs?: number;
  /** What ends a run that is late. For tests: nothing but a driver withstands SIGKILL. */
  endBy?: NodeJS.Signals;
}

/** The last one is where Windows puts it for its Linux. */
const FOLDERS = ['/usr/bin', '/usr/local/bin', '/usr/lib/wsl/lib'];
const DEADLINE_MS = 5_000;
/** Far more than a machine full of cards has to say. */
const OUTPUT_LIMIT = 256 * 1024;

type Run = { kind: 'said'; text: string } | { kind: 'failed'; reason: string };

export class NvidiaSmi implements GpuSource {
  readonly #folders: readonly string[];
  readonly #deadlineMs: number;
  readonly #endBy: NodeJS.Signals;
  #fields = FIELDS;
  /** Where each card was seen, by its uuid. */
  readonly #addresses = new Map<string, string>();
  /** Until it has ended, whether or not anybody still waits for it. */
  #child: ChildProcess | undefined;

  constructor({ folders = FOLDERS, deadlineMs = DEADLINE_MS, endBy = 'SIGKILL' }: NvidiaSmiOptions = {}) {
    this.#folders = folders;
    this.#deadlineMs = deadlineMs;
    this.#endBy = endBy;
  }

  async look(cards: readonly CardName[]): Promise<Look[]> {
    const answer = await this.#ask();
    if (typeof answer === 'string') return cards.map(() => ({ kind: 'silent', reason: answer }));
    for (const { uuid, pci } of answer.rows)
      if (uuid !== undefined && pci !== undefined) this.#addresses.set(uuid, pci);
    return cards.map((card) => lookAt(answer, card, this.#addresses));
  }

  close(): void {
    if (this.#child !== undefined) this.#leave(this.#child);
  }

  /** What it answers, or why it doesn't. */
  async #ask(): Promise<Answer | string> {
    if (this.#child !== undefined) return 'nvidia-smi hangs';
    const program = findProgram('nvidia-smi', this.#folders);
    if (program === undefined)
      return `there is no nvidia-smi on this machine (looked in ${this.#folders.join(', ')})`;
    for (;;) {
      const run = await this.#run(program, smiArguments(this.#fields));
      if (run.kind === 'failed') return run.reason;
      const answer = readAnswer(this.#fields, run.text);
      if (answer.unknownField === undefined) return answer;
      const fewer = without(this.#fields, answer.unknownField);
      if (fewer === undefined) return `nvidia-smi says: ${answer.lastLine}`;
      this.#fields = fewer;
    }
  }

  async #run(program: string, args: string[]): Promise<Run> {
    const { promise, resolve } = Promise.withResolvers<Run>();
    let child: ChildProcess;
    try {
      child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    } catch (error) {
      return { kind: 'failed', reason: `nvidia-smi can't be run: ${(error as Error).message}` };
    }
    this.#child = child;
    let text = '';
    // There are none when it can't be started for want of file descriptors.
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (part: string) => {
        if (text.length < OUTPUT_LIMIT) text += part;
      });
    const deadline = setTimeout(() => {
      this.#leave(child);
      resolve({ kind: 'failed', reason: 'nvidia-smi does not answer' });
    }, this.#deadlineMs);
    child.once('error', (error) => {
      // Only one that never ran has no number; any other is still to end.
      if (child.pid === undefined) this.#child = undefined;
      resolve({ kind: 'failed', reason: `nvidia-smi can't be run: ${error.message}` });
    });
    child.once('exit', () => {
      this.#child = undefined;
    });
    child.once('close', () => resolve({ kind: 'said', text }));
    return await promise.finally(() => clearTimeout(deadline));
  }

  /** Ends it if that is possible, and doesn't wait for it any more. */
  #leave(child: ChildProcess): void {
    child.kill(this.#endBy);
    child.stdout?.destroy();
    child.stderr?.destroy();
    child.unref();
  }
}
