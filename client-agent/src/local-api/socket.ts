/** Opens the local API's Unix socket so that only this user reaches it; replaces a dead agent's, never a live one's. */
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { FastifyInstance } from 'fastify';

const OTHERS = 0o077;

/** Why the agent can't listen; the message says what to do. */
export class SocketError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SocketError';
  }
}

/** Throws SocketError when another agent answers there, or the folder is not this user's alone. */
export async function listenOn(app: FastifyInstance, path: string): Promise<void> {
  await privateFolder(dirname(path));
  if (await isLive(path)) throw new SocketError(`An agent is running already; it answers on ${path}.`);
  await removeStale(path);
  await app.listen({ path });
  // Until here the folder's mode kept others out.
  await chmod(path, 0o600);
}

async function privateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const stat = await lstat(folder);
  if (!stat.isDirectory()) throw new SocketError(`${folder} is not a folder.`);
  if (stat.uid !== process.getuid?.()) throw new SocketError(`${folder} belongs to another user.`);
  // It may be a folder that others need, so its mode is not changed behind anybody's back.
  if ((stat.mode & OTHERS) !== 0)
    throw new SocketError(`${folder} is open to others. Fix: chmod 700 ${folder}`);
}

async function isLive(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

async function removeStale(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new SocketError(`${path} is in the way, and is not a socket.`);
  await unlink(path);
}
