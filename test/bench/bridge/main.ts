/** `npm run bench:bridge`: the bridge beside its peers in front of a scripted upstream; `--help` says the rest. */
import { writePage } from '../page/write.ts';
import { storeResults } from '../results.ts';
import { bridgeArm } from './arms/bridge.ts';
import { chooseArms } from './arms/all.ts';
import { measureAll } from './measure-all.ts';
import { HELP, readOptions, type Options } from './options.ts';
import { soak } from './soak.ts';
import { table } from './table.ts';

const say = (line: string) => console.error(line);

// Exiting in order ends what was started; see process.ts.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) console.log(HELP);
  else if (process.platform !== 'linux') throw new Error('it needs Linux, for /proc');
  else if (options.soak === undefined) await beside(options);
  else await alone(options, options.soak);
} catch (error) {
  say(`bench:bridge: ${(error as Error).stack}`);
  process.exitCode = 1;
}

async function beside(options: Options): Promise<void> {
  const results = await measureAll(chooseArms(options.arms, options.also), options, say);
  console.log(table(results));
  const isWhole =
    !options.quick && options.arms === undefined && options.rounds === undefined && options.also.length === 0;
  if (options.out !== undefined) await storeResults('bridge', results, options.out);
  else if (isWhole) {
    await storeResults('bridge', results);
    await writePage();
  }
}

async function alone(options: Options, ms: number): Promise<void> {
  const [other] = options.also;
  const arm = other === undefined ? bridgeArm('bridge') : bridgeArm(other.name, {}, other.checkout);
  const results = await soak(arm, ms, say);
  console.log(
    `${results.samples.at(-1)?.[1]} MB after ${results.seconds} s, slope ${results.slopeMbPerHour.toFixed(1)} MB/h, ${results.failed} of ${results.completed} streams failed`,
  );
  if (options.out !== undefined) await storeResults('soak', results, options.out);
  else if (other === undefined) {
    await storeResults('soak', results);
    await writePage();
  }
}
