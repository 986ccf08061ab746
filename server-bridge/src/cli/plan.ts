/** `hearth-bridge plan`: what fits on which card, with the arithmetic shown; starts and asks nothing. */
import { styleText } from 'node:util';
import { loadConfig } from '../config.ts';
import { planServer } from '../models/plan/plan.ts';
import { planText, type Style } from '../models/plan/text.ts';
import { CommandFailed } from './failure.ts';

type Format = Parameters<typeof styleText>[0];

const terminal = (format: Format) => (text: string) => styleText(format, text, { stream: process.stdout });

const STYLE: Style = {
  good: terminal('green'),
  bad: terminal('red'),
  strong: terminal('bold'),
  faint: terminal('dim'),
};

export function plan(options: { config?: string; json?: boolean }): void {
  const planned = planServer(loadConfig(options.config).config);
  process.stdout.write(options.json ? `${JSON.stringify(planned)}\n` : planText(planned, STYLE));
  if (!planned.ok) throw new CommandFailed('the plan does not fit');
}
