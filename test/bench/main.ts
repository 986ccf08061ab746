/** `npm run bench`: measures how long a start takes and writes BENCHMARKS.md. Needs an otherwise idle machine. */
import { writePage } from './page/write.ts';
import { storeResults } from './results.ts';
import { measureStart } from './start.ts';

const results = await measureStart();
console.log(
  `seconds from npm start to the first token: ${results.seconds.map((s) => s.toFixed(1)).join(', ')}`,
);
await storeResults('start', results);
await writePage();
