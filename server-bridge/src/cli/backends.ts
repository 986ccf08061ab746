/** `hearth-bridge backends …`: taking a backend of a running bridge out of service and back. */
import { drainProgress, type DrainProgress } from '@hearth/protocol';
import { CommandFailed } from './failure.ts';
import { print, runningBridge, say, watch, type LiveOptions } from './live.ts';

/** Without `wait` it is done as soon as nothing new goes there. */
export async function drainBackend(id: string, options: LiveOptions & { wait: boolean }): Promise<void> {
  const { wait, json } = options;
  await using bridge = runningBridge(options);
  const path = `/hearth/v1/backends/${encodeURIComponent(id)}/drain`;
  let now: DrainProgress | undefined;
  const outcome = await watch(
    async function* (signal) {
      for await (const progress of bridge.progress(path, undefined, drainProgress, signal)) {
        yield progress;
        if (!wait) return;
      }
    },
    (progress) => {
      now = progress;
      if (!json && wait && busy(progress)) say(describe(id, progress));
    },
  );
  const drained = now !== undefined && !busy(now);
  if (json) print({ id, drained, ...now });
  const back = `"hearth-bridge backends resume ${id}" puts it back`;
  if (outcome === 'left')
    throw new CommandFailed(
      `watching has ended, the drain stays in force: ${id} takes nothing new. ${back}.`,
    );
  if (now === undefined || (wait && !drained))
    throw new CommandFailed(`the bridge ended before ${id} was drained`);
  if (json) return;
  if (!drained) say(describe(id, now));
  say(`${id} takes nothing new${drained ? ', and nothing runs there any more' : ''}. ${back}.`);
}

export async function resumeBackend(id: string, options: LiveOptions): Promise<void> {
  await using bridge = runningBridge(options);
  await bridge.resume(id);
  if (options.json) return print({ id, resumed: true });
  say(`${id} takes requests again.`);
}

const busy = ({ in_flight, queued }: DrainProgress) => in_flight + queued > 0;

function describe(id: string, { in_flight: running, queued }: DrainProgress): string {
  return `${id}: ${running} in flight${queued > 0 ? `, ${queued} queued` : ''}`;
}
