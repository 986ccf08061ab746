/** API keys in `state_dir/access.db`: only hashes are stored, and any number of processes may use the file at once. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Secret } from '@hearth/protocol';
import { z } from 'zod';
import { SCOPES, type Scope } from './principal.ts';
import { inState } from './state-directory.ts';

const keyRow = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.string().transform((text) => text.split(',') as Scope[]),
  created_at: z.string(),
  expires_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  bind_ip: z.string().nullable(),
});

/** A key as people may see it; times are ISO 8601. */
export type KeyRecord = z.infer<typeof keyRow>;

export interface NewKey {
  name: string;
  scopes: Scope[];
  expiresAt: Date | undefined;
  /** The only address that may use it. */
  bindIp: string | undefined;
}

const KEY_FORM = /^hk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;
const COLUMNS = 'id, name, scopes, created_at, expires_at, revoked_at, bind_ip';
/** Compared against when the id is unknown, so that an unknown id takes as long as a wrong secret. */
const NO_HASH = Buffer.alloc(32);

export class KeyStore implements Disposable {
  readonly #database: DatabaseSync;

  /** @throws StateUnusable */
  constructor(stateDirectory: string) {
    this.#database = inState(stateDirectory, () => open(join(stateDirectory, 'access.db')));
  }

  /** The key itself is in the reply and nowhere else. */
  create({ name, scopes, expiresAt, bindIp }: NewKey, now: Date): { record: KeyRecord; key: Secret } {
    const id = randomBytes(6).toString('hex');
    const secret = randomBytes(32).toString('base64url');
    this.#database
      .prepare(
        'INSERT INTO keys (id, name, hash, scopes, created_at, expires_at, bind_ip) VALUES (?, ?, ?, ?, ?, ?, ?)',
      )
      .run(
        id,
        name,
        hash(secret),
        scopes.join(','),
        now.toISOString(),
        expiresAt?.toISOString() ?? null,
        bindIp ?? null,
      );
    return { record: this.#byId(id)!, key: new Secret(`hk_${id}_${secret}`) };
  }

  list(): KeyRecord[] {
    const rows = this.#database.prepare(`SELECT ${COLUMNS} FROM keys ORDER BY created_at, id`).all();
    return rows.map((row) => keyRow.parse(row));
  }

  /** False if there is no such key; revoking twice is fine. */
  revoke(id: string, now: Date): boolean {
    const { changes } = this.#database
      .prepare('UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?')
      .run(now.toISOString(), id);
    return changes > 0;
  }

  /** The key's record if the text is a key that is good now, at this address. */
  verify(key: string, address: string, now: Date): KeyRecord | undefined {
    const [, id = '', secret = ''] = KEY_FORM.exec(key) ?? [];
    const stored = this.#database.prepare('SELECT hash FROM keys WHERE id = ?').get(id)?.hash as
      Uint8Array | undefined;
    const same = timingSafeEqual(hash(secret), stored ?? NO_HASH);
    return same && stored !== undefined ? this.valid(id, address, now) : undefined;
  }

  /** The record of a key that is neither revoked nor expired nor used from elsewhere: asked for each use of a token. */
  valid(id: string, address: string, now: Date): KeyRecord | undefined {
    const record = this.#byId(id);
    if (record === undefined || record.revoked_at !== null) return undefined;
    if (record.expires_at !== null && new Date(record.expires_at) <= now) return undefined;
    if (record.bind_ip !== null && record.bind_ip !== unmapped(address)) return undefined;
    return record;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #byId(id: string): KeyRecord | undefined {
    const row = this.#database.prepare(`SELECT ${COLUMNS} FROM keys WHERE id = ?`).get(id);
    return row === undefined ? undefined : keyRow.parse(row);
  }
}

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  chmodSync(file, 0o600);
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS keys (
      id TEXT PRIMARY KEY,
      name TEXT NOT NULL,
      hash BLOB NOT NULL,
      scopes TEXT NOT NULL,
      created_at TEXT NOT NULL,
      expires_at TEXT,
      revoked_at TEXT,
      bind_ip TEXT
    ) STRICT;
  `);
  return database;
}

/** A socket open to both families shows an IPv4 address inside an IPv6 one. */
function unmapped(address: string): string {
  return address.replace(/^::ffff:/i, '');
}

/** The secret is 256 random bits, so one fast hash is enough: there is nothing to guess from a list of passwords. */
function hash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}
