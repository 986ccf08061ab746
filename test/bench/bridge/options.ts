/** The command line of `npm run bench:bridge`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { duration } from '@hearth/protocol';

export interface Options {
  quick: boolean;
  /** Undefined: all of them. */
  arms: string[] | undefined;
  /** More bridges, each another checkout under a name. */
  also: { name: string; checkout: string }[];
  rounds: number | undefined;
  /** Milliseconds; undefined: no soak. */
  soak: number | undefined;
  /** Where the results go; undefined: the page's own for a full run, nowhere for another. */
  out: string | undefined;
}

export const HELP = `npm run bench:bridge -- [options]

Measures the bridge beside its peers, in front of a scripted upstream, on loopback. A run of everything writes
test/bench/results/bridge.json and BENCHMARKS.md; one with --quick, --arms, --also or --rounds only prints.

  --quick               one short round of each measure, at most 90 s
  --arms NAMES          comma-separated, of: direct, nginx, haproxy, portkey, bridge
  --also NAME=CHECKOUT  one more arm, the bridge of another checkout; may be given more than once
  --rounds N            how often each arm is measured, instead of 5
  --soak DURATION       instead of all that: 256 streams through the bridge for so long, its memory watched;
                        writes test/bench/results/soak.json and BENCHMARKS.md
  --out FILE            write the results there, as JSON, and leave the page alone
  --help

What a change does, beside the state before it:
  npm run bench:bridge -- --quick --arms direct,nginx,bridge --also before=/path/to/another/checkout
On a machine where others work too, as root, so that they disturb it less: nice -n -5 npm run bench:bridge
`;

/** Undefined when help is asked for. Throws with a line for the user. */
export function readOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      arms: { type: 'string' },
      also: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      soak: { type: 'string' },
      out: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return {
    quick: values.quick,
    arms: values.arms?.split(','),
    also: values.also.map(checkoutOf),
    rounds: values.rounds === undefined ? undefined : roundsOf(values.rounds),
    soak: values.soak === undefined ? undefined : duration.parse(values.soak),
    out: values.out,
  };
}

function checkoutOf(text: string): { name: string; checkout: string } {
  const [name, folder] = text.split('=');
  if (!name || !folder) throw new Error(`--also is NAME=CHECKOUT, not ${text}`);
  return { name, checkout: resolve(folder) };
}

function roundsOf(text: string): number {
  const rounds = Number(text);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 20) throw new Error('--rounds is 1 to 20');
  return rounds;
}
