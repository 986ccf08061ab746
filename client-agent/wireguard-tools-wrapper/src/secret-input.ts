/**
 * A file descriptor that a program can open again as `/dev/stdin`, for input that must not be in any file system.
 *
 * Node's own `stdin: 'pipe'` is a socket on Linux, and opening `/dev/stdin` on a socket fails (ENXIO), which `wg`
 * does. So the text goes into an unlinked file in shared memory: it has no name before the first byte is written,
 * it was never on a disk, and it is gone with its last descriptor, also after `kill -9`.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, openSync, statfsSync, unlinkSync, writeSync } from 'node:fs';
import { WireguardError } from './errors.ts';

const SHARED_MEMORY = '/dev/shm';
/** TMPFS_MAGIC in linux/magic.h. */
const TMPFS = 0x01_02_19_94;

export interface SecretInput extends Disposable {
  readonly fd: number;
}

/** Holds `text` for one program. Throws `command_failed` where shared memory is really a disk. */
export function secretInput(text: string): SecretInput {
  if (statfsSync(SHARED_MEMORY).type !== TMPFS)
    throw new WireguardError(
      'command_failed',
      `${SHARED_MEMORY} is not in memory, so no key is written there.`,
    );
  const path = `${SHARED_MEMORY}/${randomUUID()}`;
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    unlinkSync(path);
    writeSync(fd, text);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}
