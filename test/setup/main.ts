/** Makes ready what the tests need and doesn't come with `npm ci`: a step that can't be done is said in one line. */
import { packageExtension } from '../../extension/build/package.ts';
import { installCodeServer } from '../../extension/web-editor/install.ts';
import { modelFolder } from '../../server-bridge/engine-llama/src/models/folder.ts';
import { ensureStarter } from '../../server-bridge/engine-llama/starter/ensure.ts';
import { canInstall, install, missingPackages } from './debian.ts';

const say = (line: string) => console.log(`test setup: ${line}`);

const steps: [string, () => Promise<unknown>][] = [
  [
    "Debian's packages",
    async () => {
      const missing = missingPackages();
      if (missing.length === 0) return;
      if (!canInstall())
        throw new Error(`missing: ${missing.join(' ')} (as root on Debian they are installed here)`);
      say(`installing ${missing.join(' ')}`);
      await install(missing);
    },
  ],
  ['the web editor', async () => await installCodeServer(say)],
  ['the starter model', async () => await ensureStarter(modelFolder(process.env))],
  ['the extension', async () => await packageExtension()],
];

for (const [what, step] of steps) {
  try {
    await step();
  } catch (error) {
    say(`${what} could not be made ready: ${(error as Error).message}`);
    // The tests that need it skip themselves and say so; under CI nothing may be missing.
    if (process.env.CI === 'true') process.exitCode = 1;
  }
}
