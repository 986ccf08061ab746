/** `hearth-bridge models …`: what a running bridge offers, and swapping a model to another backend. */
import { styleText } from 'node:util';
import { swapProgress, type ModelEntry, type SwapProgress } from '@hearth/protocol';
import { CommandFailed } from './failure.ts';
import { print, runningBridge, say, watch, type LiveOptions } from './live.ts';

export async function listModels(options: LiveOptions): Promise<void> {
  await using bridge = runningBridge(options);
  const { models, swaps } = await bridge.status();
  if (options.json) return print(models);
  for (const line of table(models)) say(line);
  for (const { model, from, to, detail, undoing } of swaps)
    say(
      `${model}: ${undoing ? 'a failed swap is being undone' : 'a swap is under way'}, ${from} to ${to}: ${detail}`,
    );
}

export async function swapModel(model: string, options: LiveOptions & { to: string }): Promise<void> {
  const { to, json } = options;
  await using bridge = runningBridge(options);
  const steps: SwapProgress[] = [];
  const path = `/hearth/v1/models/${encodeURIComponent(model)}/swap`;
  const outcome = await watch(
    (signal) => bridge.progress(path, { to }, swapProgress, signal),
    (step) => {
      steps.push(step);
      if (!json && step.step !== 'swap') say(describe(step));
    },
  );
  const last = steps.at(-1);
  const ended = last?.step === 'swap' && last.state !== 'running' ? last : undefined;
  if (json) print({ model, to, state: ended?.state ?? 'running', detail: ended?.detail ?? null, steps });
  if (outcome === 'left')
    throw new CommandFailed(
      `watching has ended, the swap goes on: "hearth-bridge models list" shows how it stands`,
    );
  if (ended === undefined) throw new CommandFailed('the bridge ended before the swap did');
  if (ended.state === 'failed') throw new CommandFailed(`the swap failed: ${ended.detail}`);
  if (json) return;
  say(`Done: ${ended.detail}.`);
  say(`To keep it after a restart, put ${to} first in hearth.yaml: models[${model}].backends.`);
}

function table(models: ModelEntry[]): string[] {
  const rows = models.map(({ id, hearth }) => [
    id,
    hearth.title,
    hearth.state,
    hearth.served_by === null ? 'nobody answers' : `${hearth.served_by} answers`,
    hearth.roles.join(', '),
  ]);
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]!.length))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

const MARK = {
  running: ['gray', '...'],
  done: ['green', 'ok'],
  warning: ['yellow', 'WARN'],
  failed: ['red', 'FAIL'],
} as const;

function describe({ step, state, detail }: SwapProgress): string {
  const [colour, mark] = MARK[state];
  return `${styleText(colour, mark.padEnd(4), { stream: process.stdout })}  ${step.padEnd(6)}  ${detail}`;
}
