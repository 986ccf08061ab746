/**
 * Which process may open a socket's path: one at a time, and the system frees it when that process ends, however it
 * ends. A file that merely exists could not tell a live holder from a dead one. Node has no file locks of its own;
 * SQLite's are the system's, and an empty database is enough for one.
 */
import { DatabaseSync } from 'node:sqlite';

/** SQLITE_BUSY: somebody else holds it. */
const BUSY = 5;

/** Gives the lock, to be disposed of, or undefined while another holds it. `path` is made and stays, empty. */
export function lockFile(path: string): Disposable | undefined {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}
