/** `npm run start:web`: the real editor in the browser with Hearth installed, on this computer only, until Ctrl-C. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { currentVsix } from '../build/package.ts';
import { installCodeServer } from './install.ts';
import { QUIET_SETTINGS, startEditor } from './launch.ts';

const SAMPLE = `/** Put the cursor at the end of a line, type, and wait for the grey text; Tab takes it. */

export function add(a: number, b: number): number {
  return a + b;
}

export function fibonacci(index: number): number {
  
}
`;

/** A folder to try things in; what the user made of it stays. */
async function sampleFolder(base: string): Promise<string> {
  const folder = join(base, 'sample');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'hello.ts');
  if (!existsSync(file)) await writeFile(file, SAMPLE);
  return folder;
}

async function main(): Promise<void> {
  const say = (line: string) => console.log(line);
  const state = process.env.XDG_STATE_HOME || join(homedir(), '.local', 'state');
  const base = join(state, 'hearth', 'web-editor');
  const codeServer = await installCodeServer(say);
  const vsix = await currentVsix();
  const folder = await sampleFolder(base);
  const known = existsSync(join(base, 'data', 'User', 'settings.json'));
  const settings = known ? {} : { settings: QUIET_SETTINGS };
  await using editor = await startEditor({ codeServer, vsix, dataDir: base, port: 0, ...settings });
  say(`web editor: ${editor.url}/?folder=${encodeURIComponent(folder)}`);
  say('It answers on this computer only. Ctrl-C ends it.');
  const stop = Promise.withResolvers<void>();
  process.once('SIGINT', () => stop.resolve());
  process.once('SIGTERM', () => stop.resolve());
  await Promise.race([stop.promise, editor.ended]);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
