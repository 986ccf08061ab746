/** `npm run bench:page`: writes BENCHMARKS.md from the results as they are. */
import { writePage } from './write.ts';

await writePage();
