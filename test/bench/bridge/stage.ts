/** Everything that a run needs alive at once: upstream, load generator, arms, folders; ended in reverse, whatever happens. */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Arm, RunningArm } from './arms/arm.ts';
import type { Target } from './load/orders.ts';
import { LoadProcess, UpstreamProcess } from './workers.ts';

/** An arm that is up. */
export interface Player extends RunningArm {
  name: string;
  description: string;
}

export interface Stage extends AsyncDisposable {
  upstream: UpstreamProcess;
  load: LoadProcess;
  players: Player[];
  /** Why an arm isn't among the players. */
  leftOut: { name: string; reason: string }[];
  /** A new empty folder that goes with the stage. */
  folder: (name: string) => Promise<string>;
}

export async function setStage(arms: Arm[], say: (line: string) => void): Promise<Stage> {
  const stack = new AsyncDisposableStack();
  try {
    const root = await mkdtemp(join(tmpdir(), 'hearth-bench-'));
    const remove = () => rmSync(root, { recursive: true, force: true });
    process.once('exit', remove);
    stack.defer(() => {
      process.off('exit', remove);
      remove();
    });
    const folder = async (name: string) => {
      const path = join(root, name);
      await mkdir(path);
      return path;
    };
    const upstream = stack.use(await UpstreamProcess.start());
    const load = stack.use(LoadProcess.start());
    const players: Player[] = [];
    const leftOut: Stage['leftOut'] = [];
    for (const arm of arms) {
      try {
        await arm.prepare();
        const running = await arm.start({ upstreamPorts: [upstream.port], folder: await folder(arm.name) });
        stack.use(running);
        players.push({ ...running, name: arm.name, description: await arm.describe() });
      } catch (error) {
        if (arm.ours) throw error;
        const reason = (error as Error).message;
        say(`${arm.name} is left out: ${reason}`);
        leftOut.push({ name: arm.name, reason: reason.split('\n')[0] ?? reason });
      }
    }
    const owned = stack.move();
    return {
      upstream,
      load,
      players,
      leftOut,
      folder,
      [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
    };
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

export const targetOf = ({ port, headers, pids }: RunningArm): Target => ({ port, headers, pids: pids() });
