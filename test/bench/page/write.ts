/** Writes BENCHMARKS.md from the stored results, whichever benchmark has just run. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { readResults } from '../results.ts';
import { bridgeSection } from './bridge-section.ts';
import { soakSection } from './soak-section.ts';
import { startSection } from './start-section.ts';

const FILE = fileURLToPath(new URL('../../../BENCHMARKS.md', import.meta.url));

export async function writePage(): Promise<void> {
  const [start, bridge, soak] = [
    await readResults('start'),
    await readResults('bridge'),
    await readResults('soak'),
  ];
  const page = `# Benchmarks

Written by \`npm run bench\`, \`npm run bench:bridge\` and \`npm run bench:bridge -- --soak 10m\` from
\`test/bench/results\`; edits here are lost. Timings differ from machine to machine: read the ratios.

${bridgeSection(bridge, soak)}

${soakSection(soak)}

${startSection(start)}
`;
  await writeFile(FILE, await format(page, { ...(await resolveConfig(FILE)), filepath: FILE }));
}
