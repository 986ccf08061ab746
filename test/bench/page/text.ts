/** How figures, tables and machines are written on the page. */
import type { Run } from '../results.ts';
import type { Spread } from '../statistics.ts';

export const machine = ({ at, version, commit, node, cores, processor, memoryGb, linux }: Run) =>
  `Measured ${at.slice(0, 10)}, version ${version} (${commit}): ${cores} cores of ${processor}, ${memoryGb} GB, Linux ${linux}, Node ${node}.`;

/** Three significant digits, and none after the point from 100 on. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 3));
}

export const withRange = ({ median, min, max }: Spread) =>
  `**${number(median)}** (${number(min)}–${number(max)})`;

export function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
