import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkGguf } from '../../../server-bridge/engine-llama/src/gguf/header.ts';
import { ensureStarter } from '../../../server-bridge/engine-llama/starter/ensure.ts';
import { runToExit } from '../engine-process.ts';

describe('a GGUF that cannot be used', () => {
  let folder: string;
  let whole: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-gguf-'));
    whole = await ensureStarter(folder);
  });
  after(() => rm(folder, { recursive: true }));

  async function broken(change: (bytes: Buffer) => Uint8Array): Promise<string> {
    const path = join(folder, 'broken.gguf');
    await writeFile(path, change(await readFile(whole)));
    return path;
  }

  function messageFor(path: string): string {
    const check = checkGguf(path);
    assert.equal(check.kind, 'broken');
    return check.kind === 'broken' ? check.message : '';
  }

  it('is told from one that is whole', () => {
    assert.equal(checkGguf(whole).kind, 'whole');
  });

  it('is truncated: the message has both sizes', async () => {
    const size = (await readFile(whole)).length;
    const path = await broken((bytes) => bytes.subarray(0, -1));
    assert.match(messageFor(path), new RegExp(`truncated: expected ${size} bytes, has ${size - 1}\\.$`));
  });

  it('ends inside its header, wherever that is', async () => {
    const path = await broken((bytes) => bytes.subarray(0, 6000));
    for (const length of [4999, 3000, 1000, 100, 30, 10, 4, 3, 0]) {
      await truncate(path, length);
      assert.match(messageFor(path), /no usable GGUF|truncated/);
    }
  });

  it('is another kind of file, or missing, or a folder', async () => {
    assert.match(messageFor(await broken(() => Buffer.from('<html>not found</html>'))), /no GGUF file/);
    assert.match(messageFor(join(folder, 'none.gguf')), /can't be opened: ENOENT/);
    assert.match(messageFor(folder), /no usable GGUF/);
  });

  it('has a damaged header: refused or read, never a crash', async () => {
    const path = join(folder, 'damaged.gguf');
    const head = (await readFile(whole)).subarray(0, 6000);
    for (let at = 8; at < 400; at += 3) {
      const bytes = Buffer.from(head);
      bytes[at] = 0xff;
      await writeFile(path, bytes);
      assert.equal(checkGguf(path).kind, 'broken');
    }
  });

  it('ends the engine with 1, one line on stderr and a failed event', async () => {
    const path = await broken((bytes) => bytes.subarray(0, 1_000_000));
    const { code, events, stderr } = await runToExit(['--model', path, '--json']);
    assert.equal(code, 1);
    assert.match(stderr, /^[^\n]* is truncated: expected \d+ bytes, has 1000000\.\n$/);
    assert.deepEqual(events, [{ event: 'failed', message: stderr.trim() }]);
  });

  it('is named wrongly: the engine says what it knows', async () => {
    const { code, stderr } = await runToExit(['--model', './none.gguf']);
    assert.equal(code, 1);
    assert.match(stderr, /no model file \.\/none\.gguf.*qwen2\.5-coder-1\.5b, hearth-starter/);
  });

  it('ends the engine with 2 where the usage is wrong', async () => {
    assert.equal((await runToExit(['--port', 'many'])).code, 2);
    assert.equal((await runToExit(['--nonsense'])).code, 2);
  });
});
