/** The page's part about memory over time. */
import { drift } from '../bridge/soak-drift.ts';
import type { Stored } from '../results.ts';
import { machine, number, table } from './text.ts';

/** Rows of the table at the most. */
const ROWS = 11;

export function soakSection(results: Stored<'soak'> | undefined): string {
  const title = '## Memory over time';
  if (results === undefined) return `${title}\n\nNot measured yet: \`npm run bench:bridge -- --soak 10m\`.`;
  const { run, description, streams, seconds, completed, failed, tokensPerSecond, samples, slopeMbPerHour } =
    results;
  const step = Math.max(1, Math.ceil(samples.length / ROWS));
  const shown = samples.filter((_, index) => index % step === 0);
  const { early, late } = drift(samples);
  return `${title}

${machine(run)}

${description}: ${streams} streams at once, each followed by the next, for ${number(seconds / 60)} minutes;
${number(tokensPerSecond)} tokens a second, ${completed} streams whole, ${failed} failed. Resident memory, sampled each
5 s (all samples are in \`test/bench/results/soak.json\`):

${table(['s', ...shown.map(([at]) => String(at))], [['MB', ...shown.map(([, mb]) => mb.toFixed(0))]])}

Least-squares slope after the first minute: **${slopeMbPerHour.toFixed(1)} MB/h**. Median of the second fifth
${number(early)} MB, of the last fifth ${number(late)} MB.`;
}
