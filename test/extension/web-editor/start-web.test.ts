import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from '../../support/needs.ts';

const MAIN = fileURLToPath(new URL('../../../extension/web-editor/main.ts', import.meta.url));

describe('npm run start:web', function () {
  this.timeout(60_000);
  let home: string;
  before(() => {
    home = mkdtempSync(join(tmpdir(), 'hearth-start-web-'));
  });
  after(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));

  const start = (env: Record<string, string>) => {
    const child = spawn(process.execPath, [MAIN], { env: { ...process.env, XDG_STATE_HOME: home, ...env } });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return { child, output: () => output };
  };

  it('serves the editor on this computer, and ends with Ctrl-C', async function () {
    needs(this, 'code-server');
    const { child, output } = start({});
    const ended = once(child, 'close');
    let url: string | undefined;
    while (url === undefined) {
      await Promise.race([once(child.stdout, 'data'), ended]);
      assert.equal(child.exitCode, null, output());
      url = /http:\/\/127\.0\.0\.1:\d+\/\?folder=\S+/.exec(output())?.[0];
    }
    const page = await fetch(url);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /workbench/);
    child.kill('SIGINT');
    await ended;
    assert.equal(child.exitCode, 0, output());
    await assert.rejects(fetch(url));
  });

  it('says which packages are missing where the editor can’t be built', async () => {
    const { child, output } = start({ PATH: home, XDG_CACHE_HOME: home });
    await once(child, 'close');
    assert.equal(child.exitCode, 1);
    assert.match(output(), /apt-get install g\+\+ make python3 pkg-config libkrb5-dev libsecret-1-dev/);
    assert.doesNotMatch(output(), /\n\s+at /);
  });
});
