/** Who gets the socket's path: this user alone, one agent at a time, and never over something that is alive. */
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimSocket } from '../../../client-agent/src/local-api/socket.ts';

const RUNNING = { name: 'SocketError', message: /running already/ };

describe('socket', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-socket-'));
    path = join(folder, 'run', 'agent.sock');
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function listening(): Promise<Server> {
    await mkdir(join(folder, 'run'), { recursive: true, mode: 0o700 });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return server;
  }
  const closed = (server: Server) => new Promise((resolve) => server.close(resolve));
  /** What a process that was killed leaves. */
  async function leaveStale(): Promise<void> {
    const server = await listening();
    await rename(path, `${path}.aside`);
    await closed(server);
    await rename(`${path}.aside`, path);
  }

  it('is one claim at a time, for as long as it is held', async () => {
    const first = await claimSocket(path);
    await assert.rejects(claimSocket(path), RUNNING);
    first[Symbol.dispose]();
    using _second = await claimSocket(path);
    assert.equal((await stat(join(folder, 'run'))).mode & 0o777, 0o700);
  });

  it('goes to one of those who start at the same instant over a stale socket', async () => {
    await leaveStale();
    const claims = await Promise.allSettled(Array.from({ length: 5 }, () => claimSocket(path)));
    const won = claims.filter((claim) => claim.status === 'fulfilled');
    assert.equal(won.length, 1);
    for (const claim of claims)
      if (claim.status === 'rejected') assert.match(String(claim.reason), /running/);
    await assert.rejects(stat(path), { code: 'ENOENT' });
    won[0]?.value[Symbol.dispose]();
  });

  it('is left to one that answers without holding the lock, and the claim is free again', async () => {
    const server = await listening();
    await assert.rejects(claimSocket(path), RUNNING);
    assert.ok((await stat(path)).isSocket());
    await closed(server);
    using _claim = await claimSocket(path);
  });

  it('is refused in a folder that others can enter: closed where it is ours, another where it is shared', async () => {
    await chmod(folder, 0o755);
    path = join(folder, 'agent.sock');
    await assert.rejects(claimSocket(path), { name: 'SocketError', message: /Fix: chmod 700 / });
    await writeFile(join(folder, 'of-somebody'), '');
    await assert.rejects(claimSocket(path), (error) => {
      assert.ok(error instanceof Error && error.message.includes(join(folder, 'hearth', 'agent.sock')));
      assert.ok(!error.message.includes('chmod'));
      return true;
    });
  });

  it('is refused where a file is in its place', async () => {
    path = join(folder, 'agent.sock');
    await writeFile(path, '');
    await assert.rejects(claimSocket(path), { name: 'SocketError', message: /not a socket/ });
    await rm(path);
    using _claim = await claimSocket(path);
  });
});
