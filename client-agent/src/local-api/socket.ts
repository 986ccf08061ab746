/** The local API's Unix socket: for this user alone, and for one agent; a dead one's is replaced, never a live one's. */
import { chmod, lstat, mkdir, readdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { lockFile } from './socket-lock.ts';

const OTHERS = 0o077;

/** Why the agent can't listen; the message says what to do. */
export class SocketError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SocketError';
  }
}

/**
 * Makes the path this process's own until the result is disposed of; the folder is made, a dead agent's socket removed.
 * Throws SocketError when another agent has the path, or the folder is not this user's alone.
 */
export async function claimSocket(path: string): Promise<Disposable> {
  await privateFolder(path);
  // Looking who answers and removing the socket are two steps: without the lock, a second agent fits in between.
  using stack = new DisposableStack();
  const lock = stack.use(lockFile(`${path}.lock`));
  if (!lock || (await isLive(path)))
    throw new SocketError(`An agent is running already; it answers on ${path}.`);
  await removeStale(path);
  return stack.move();
}

/** `path` must have been claimed. Closing `app` removes the socket. */
export async function listenOn(app: FastifyInstance, path: string): Promise<void> {
  await app.listen({ path });
  // Until here the folder's mode kept others out.
  await chmod(path, 0o600);
}

async function privateFolder(path: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const stat = await lstat(folder);
  if (!stat.isDirectory()) throw new SocketError(`${folder} is not a folder.`);
  if (stat.uid !== process.getuid?.()) throw new SocketError(`${folder} belongs to another user.`);
  if ((stat.mode & OTHERS) === 0) return;
  // Its mode is not changed behind anybody's back, and where others have files it must stay as it is.
  const shared = (await readdir(folder)).some((name) => !name.startsWith(basename(path)));
  const own = join(folder, 'hearth', basename(path));
  const fix = shared
    ? `give the socket a folder of its own, HEARTH_AGENT_SOCKET=${own}`
    : `chmod 700 ${folder}`;
  throw new SocketError(`${folder} is open to others. Fix: ${fix}`);
}

/** One that is too busy to answer is there too (EAGAIN). */
async function isLive(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', (error) => resolve('code' in error && error.code === 'EAGAIN'));
    });
  } finally {
    socket.destroy();
  }
}

async function removeStale(path: string): Promise<void> {
  // Whatever keeps it from being seen keeps the listening from it too, and that says why.
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new SocketError(`${path} is in the way, and is not a socket.`);
  await unlink(path);
}
