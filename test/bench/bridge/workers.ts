/** The upstream and the load generator as processes of their own, and what is said to them. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order, ReportOf } from './load/orders.ts';
import type { UpstreamNews, UpstreamQuestion } from './upstream/news.ts';

const LOAD = fileURLToPath(new URL('./load/main.ts', import.meta.url));
const UPSTREAM = fileURLToPath(new URL('./upstream/main.ts', import.meta.url));

class Worker implements AsyncDisposable {
  protected readonly child: ChildProcess;

  constructor(file: string, args: string[] = []) {
    // Advanced: figures come as typed arrays.
    this.child = fork(file, args, { serialization: 'advanced' });
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error('a worker did not start');
    return this.child.pid;
  }

  /** The next message; rejects if the process ends first. */
  protected async next<T>(): Promise<T> {
    const stop = new AbortController();
    try {
      return await Promise.race([
        once(this.child, 'message', { signal: stop.signal }).then(([message]) => message as T),
        once(this.child, 'exit', { signal: stop.signal }).then(() => {
          throw new Error(`${this.child.spawnargs.at(-1)} ended`);
        }),
      ]);
    } finally {
      stop.abort();
    }
  }

  /** At once, as a machine fails. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

export class UpstreamProcess extends Worker {
  port = 0;

  static async start(port = 0): Promise<UpstreamProcess> {
    const upstream = new UpstreamProcess(UPSTREAM, [String(port)]);
    const news = await upstream.next<UpstreamNews>();
    if (news.news === 'listening') upstream.port = news.port;
    return upstream;
  }

  /** When the connections of unfinished streams went, by stream id; each is told once. */
  async closed(): Promise<Map<number, number>> {
    const news = await this.#ask({ ask: 'closed' });
    return new Map(news.news === 'closed' ? news.closedUs : []);
  }

  /** How many of the benchmark's streams it has been asked for. */
  async served(): Promise<number> {
    const news = await this.#ask({ ask: 'served' });
    return news.news === 'served' ? news.served : 0;
  }

  async #ask(question: UpstreamQuestion): Promise<UpstreamNews> {
    const answer = this.next<UpstreamNews>();
    this.child.send(question);
    return await answer;
  }
}

export class LoadProcess extends Worker {
  static start(): LoadProcess {
    return new LoadProcess(LOAD);
  }

  async run<O extends Order>(order: O): Promise<ReportOf[O['order']]> {
    const answer = this.next<{ report: ReportOf[O['order']] } | { error: string }>();
    this.child.send(order);
    const message = await answer;
    if ('error' in message) throw new Error(`the load generator: ${message.error}`);
    return message.report;
  }
}
