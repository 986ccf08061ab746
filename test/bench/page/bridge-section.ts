/** The page's part about the bridge beside its peers. */
import { added, failures, fullCpu, othersCores, pacedCpu, streamsPerSecond } from '../bridge/compare.ts';
import type { ArmResults } from '../bridge/measure-all.ts';
import type { Cancelled } from '../bridge/measures/cancel.ts';
import type { CutSeen } from '../bridge/measures/cut.ts';
import { PACED } from '../bridge/measures/paced.ts';
import { SATURATION } from '../bridge/measures/saturation.ts';
import { HELD } from '../bridge/measures/memory.ts';
import { targets } from '../bridge/targets.ts';
import type { Stored } from '../results.ts';
import { quantile, spread, type Spread } from '../statistics.ts';
import { machine, number, table, withRange } from './text.ts';

const CUT: Record<CutSeen, string> = {
  error: 'an event says so, and no `[DONE]`',
  broken: 'the connection breaks',
  silent: 'a proper end without a word: looks whole',
  whole: 'a proper end with `[DONE]`: looks whole',
  hangs: 'nothing: it hangs',
};

/** What a machine does by itself. */
const QUIET_CORES = 0.2;

export function bridgeSection(
  results: Stored<'bridge'> | undefined,
  soak: Stored<'soak'> | undefined,
): string {
  const title = '## The bridge beside its peers';
  if (results === undefined) return `${title}\n\nNot measured yet: \`npm run bench:bridge\`.`;
  const { run, arms, leftOut, recovery } = results;
  const direct = arms.find(({ name }) => name === 'direct');
  const gateways = arms.filter((arm) => arm !== direct);
  const nginx = arms.find(({ name }) => name === 'nginx');
  const rounds = direct?.paced.length ?? 0;
  const failed = arms.filter((arm) => failures(arm) > 0);
  const others = othersCores(arms);
  const toNginx = (arm: ArmResults, of: (arm: ArmResults) => Spread) =>
    nginx === undefined ? '–' : number(of(arm).median / of(nginx).median);

  return `${title}

${machine(run)}

A client sends OpenAI chat streams to a scripted upstream: directly, and through each gateway. Client, upstream and
gateways are processes of one machine and share its cores. All gateways are up the whole time and measured in turn, in
${rounds} rounds; figures are medians over the rounds, with the lowest and the highest in brackets. Meanwhile
other programs took ${number(others.median)} of the machine's cores at the median and ${number(others.max)} at the most.${others.median > QUIET_CORES ? ' **That is a disturbed run:** its times, the 99th percentiles above all, say little.' : ''}

${arms.map(({ name, description }) => `- **${name}**: ${description}.`).join('\n')}
${leftOut.map(({ name, reason }) => `- **${name}** was left out: ${reason}.`).join('\n')}

${failed.length === 0 ? 'No stream failed.' : `Streams that failed: ${failed.map((arm) => `${arm.name} ${failures(arm)}`).join(', ')}.`}

### What the bridge is to reach

${table(
  ['', 'target', 'this run', ''],
  targets(results, soak).map(({ what, limit, measured }) => [
    what,
    limit,
    measured?.text ?? 'not measured',
    measured === null ? '–' : measured.reached ? 'reached' : '**not reached**',
  ]),
)}

### At a steady pace

${PACED.perSecond} streams a second, begun on a random but always the same schedule that waits for nobody (open loop);
${PACED.tokens} tokens each, one every ${PACED.gapMs} ms. The upstream stamps each token with its time of sending. First token: from
the request to the first token's arrival, less the same quantile of the direct way in the same round. Gap error: how
far the time between two tokens' arrivals is from the time between their sendings, p99, less that of the direct way.
CPU: the gateway's own processes, user and system, for 1,000 tokens.
${direct === undefined ? '' : `The direct way itself: first token p50 ${number(medianOf(direct, (one) => one.firstTokenMs.p50))} ms, p99 ${number(medianOf(direct, (one) => one.firstTokenMs.p99))} ms, gap error p99 ${number(medianOf(direct, (one) => one.gapErrorMs.p99))} ms; with these a difference is as uncertain as its range shows.`}

${
  direct === undefined
    ? ''
    : table(
        [
          '',
          'first token p50, +ms',
          'p99, +ms',
          'gap error p99, +ms',
          'CPU ms / 1,000 tokens',
          "times nginx's",
        ],
        gateways.map((arm) => [
          arm.name,
          withRange(added(arm, direct, (one) => one.firstTokenMs.p50)),
          withRange(added(arm, direct, (one) => one.firstTokenMs.p99)),
          withRange(added(arm, direct, (one) => one.gapErrorMs.p99)),
          withRange(inMs(pacedCpu(arm))),
          toNginx(arm, pacedCpu),
        ]),
      )
}

### At saturation

${SATURATION.concurrency} streams at once, each followed by the next (closed loop); ${SATURATION.tokens} tokens each, every one a write of its own, as
fast as the upstream can. With the client and the upstream on the same cores, streams a second is what the machine has
left for the gateway; a gateway that reads several tokens at once even saves the client work. The CPU column is the
better measure.

${table(
  ['', 'streams / s', 'CPU ms / 1,000 tokens', "times nginx's", 'cores used by it'],
  arms.map((arm) => [
    arm.name,
    withRange(streamsPerSecond(arm)),
    arm === direct ? '–' : withRange(inMs(fullCpu(arm))),
    arm === direct ? '–' : toNginx(arm, fullCpu),
    arm === direct
      ? '–'
      : number(
          quantile(
            arm.saturation.map(({ cores }) => cores),
            0.5,
          ),
        ),
  ]),
)}

### Memory

Resident memory of all the gateway's processes with so many streams open, a token every ${HELD.gapMs} ms each: the median of the
samples, and the most there was. Right after the start, before the other loads.

${table(
  [
    '',
    ...(gateways[0]?.memory ?? []).map(({ streams }) => `${streams} stream${streams === 1 ? '' : 's'}, MB`),
  ],
  gateways.map((arm) => [
    arm.name,
    ...arm.memory.map(({ rssMb, peakMb }) => `**${rssMb.toFixed(0)}** (${peakMb.toFixed(0)})`),
  ]),
)}

### When something breaks

A client that goes away: milliseconds until the upstream's connection is closed, median and slowest. A stream whose
upstream connection breaks after 16 tokens: what the client sees.

${table(
  ['', 'client leaves mid-stream', 'before the first token', 'upstream breaks mid-stream'],
  gateways.map((arm) => [
    arm.name,
    cancelText(arm.cancel.midStream),
    cancelText(arm.cancel.beforeFirst),
    CUT[arm.cut],
  ]),
)}
${direct === undefined ? '' : `\nDirectly: ${cancelText(direct.cancel.midStream)} and ${cancelText(direct.cancel.beforeFirst)} ms; ${CUT[direct.cut]}.`}

${recovery.map(({ name, times }) => recoveryText(name, times)).join('\n\n')}`;
}

const medianOf = (arm: ArmResults, of: (round: ArmResults['paced'][number]) => number) =>
  quantile(arm.paced.map(of), 0.5);

const inMs = ({ median, min, max }: Spread): Spread => ({
  median: median * 1_000,
  min: min * 1_000,
  max: max * 1_000,
});

function cancelText({ abandoned, noticed, waitMs, p50Ms, maxMs }: Cancelled): string {
  if (p50Ms === null || maxMs === null) return `never (within ${waitMs / 1_000} s)`;
  const times = `**${number(p50Ms)}** (${number(maxMs)})`;
  return noticed === abandoned ? times : `${times}, but ${abandoned - noticed} of ${abandoned} never`;
}

function recoveryText(name: string, times: Stored<'bridge'>['recovery'][number]['times']): string {
  const answered = spread(times.map(({ answeredAfterMs }) => answeredAfterMs));
  const failed = times.reduce((sum, one) => sum + one.failed, 0);
  const used = times.flatMap(({ usedAgainAfterMs }) => usedAgainAfterMs ?? []);
  const again =
    used.length < times.length
      ? `In ${times.length - used.length} of ${times.length} it was not used again within half a minute.`
      : `Started again, it is used again ${withRange(spread(used))} ms after it listens.`;
  return `**${name}**, two upstreams, \`kill -9\` of the preferred one, ${times.length} times: the next whole answer is there ${withRange(answered)} ms after the kill, ${failed} requests failed. ${again}`;
}
