/** The page's part about `npm start`. */
import type { Stored } from '../results.ts';
import { quantile } from '../statistics.ts';
import { machine } from './text.ts';

export function startSection(results: Stored<'start'> | undefined): string {
  const title = '## `npm start` to the first token';
  if (results === undefined) return `${title}\n\nNot measured yet: \`npm run bench\`.`;
  const { run, seconds } = results;
  const at = (share: number) => quantile(seconds, share).toFixed(1);
  return `${title}

${machine(run)}

From the command, in an installed tree, to the first token of the self-check's completion; the starter model, whose
hub can't be reached. ${seconds.length} runs: median **${at(0.5)} s**, fastest ${at(0)} s, slowest ${at(1)} s.`;
}
