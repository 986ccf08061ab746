/**
 * The way to a running bridge for whoever may open its socket: operations and the status over `state_dir/control.sock`.
 * The file's permissions are the key (0600), so the commands need none, and it works where the API asks for one.
 */
import { chmod, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { BridgeStatus } from '@hearth/protocol';
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { inState, StateUnusable } from './access/state-directory.ts';
import { installErrorHandling, newRequestId } from './http/errors.ts';
import { installOperations, type Operations, type OperationsParts } from './http/operations.ts';

export interface ControlSocketParts {
  stateDir: string;
  operations: Operations;
  status: () => BridgeStatus;
  log: Logger;
}

export interface ControlSocket {
  /** Undefined where there could be none; the log says why. */
  path: string | undefined;
  /** Also removes it. Operations should have ended before: whoever watches them then hears of it. */
  close(): Promise<void>;
}

/** Another bridge runs with the same state_dir. */
export class ControlSocketTaken extends Error {
  constructor(path: string) {
    super(
      `Another bridge is running with this state_dir; it answers on ${path}. Stop that one, or give this one a state_dir of its own.`,
    );
    this.name = 'ControlSocketTaken';
  }
}

/** `sockaddr_un`'s path with its closing NUL, in bytes. */
const LONGEST_PATH = process.platform === 'darwin' ? 104 : 108;
const BODY_MB = 1;
/** For watchers to read the last events when the bridge closes. */
const LAST_BYTES_MS = 500;
const OTHERS = 0o077;

const NONE: ControlSocket = { path: undefined, close: async () => {} };

/** Where the commands look for the bridge that runs with this state_dir. */
export function controlSocketPath(stateDir: string): string {
  return join(stateDir, 'control.sock');
}

/**
 * Opens the socket; a dead bridge's is replaced. Throws ControlSocketTaken while another bridge is there. A bridge that
 * can't have a socket runs without: only the commands for a running bridge are lost.
 */
export async function openControlSocket(parts: ControlSocketParts): Promise<ControlSocket> {
  const { stateDir, log } = parts;
  const path = controlSocketPath(stateDir);
  if (Buffer.byteLength(path) >= LONGEST_PATH) {
    log.warn(
      { path },
      `no control socket: the system allows paths of ${LONGEST_PATH - 1} bytes, and this one has ${Buffer.byteLength(path)}; choose a shorter state_dir`,
    );
    return NONE;
  }

  await using undo = new AsyncDisposableStack();
  try {
    const lock = inState(stateDir, () => lockFile(join(stateDir, 'control.lock')));
    if (lock === undefined) throw new ControlSocketTaken(path);
    undo.use(lock);
  } catch (error) {
    if (!(error instanceof StateUnusable)) throw error;
    log.warn({ reason: error.message }, 'no control socket');
    return NONE;
  }
  const app = buildControlApp(parts);
  undo.defer(async () => {
    const force = setTimeout(() => app.server.closeAllConnections(), LAST_BYTES_MS);
    await app.close();
    clearTimeout(force);
  });
  try {
    // With the lock in hand, whatever stands there is a dead bridge's.
    await rm(path, { force: true });
    await app.listen({ path });
    // Until here the folder's mode, or the umask, kept others out.
    await chmod(path, 0o600);
  } catch (error) {
    log.warn({ path, reason: (error as Error).message }, 'no control socket');
    return NONE;
  }

  const mode = (await stat(stateDir)).mode & 0o777;
  if ((mode & OTHERS) !== 0)
    log.warn(
      { state_dir: stateDir, mode: mode.toString(8) },
      `state_dir is open to others on this machine, and holds keys: chmod 700 ${stateDir}`,
    );
  const opened = undo.move();
  return { path, close: async () => await opened.disposeAsync() };
}

/** What listens on the socket, not listening yet. By itself it asks nobody who they are. */
export function buildControlApp(
  { operations, status, log }: Omit<ControlSocketParts, 'stateDir'>,
  authorize: OperationsParts['authorize'] = async () => {},
): FastifyInstance {
  const logger: FastifyBaseLogger = log;
  const app = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request' }),
    bodyLimit: BODY_MB * 1024 * 1024,
    genReqId: newRequestId,
    forceCloseConnections: 'idle',
  });
  installErrorHandling(app, BODY_MB);
  app.get('/hearth/v1/status', () => status());
  installOperations(app, { operations, authorize });
  return app;
}

/**
 * Holds the file for this process until disposed of; the system frees it when the process ends, however it ends. Undefined
 * while another holds it. Node has no file locks of its own; SQLite's are the system's.
 */
function lockFile(path: string): Disposable | undefined {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
  return { [Symbol.dispose]: () => database.close() };
}

const SQLITE_BUSY = 5;
