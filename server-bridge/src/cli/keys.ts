/** `hearth-bridge keys …`: works on the state folder, beside a running bridge or without one. */
import { KeyStore, type KeyRecord } from '../access/key-store.ts';
import type { Scope } from '../access/principal.ts';
import { loadConfig } from '../config.ts';
import { CommandFailed } from './failure.ts';

interface Common {
  config?: string;
  json?: boolean;
}

export function createKey(
  options: Common & { name: string; scope: Scope[]; expires?: number; bindIp?: string },
): void {
  using keys = open(options);
  const now = new Date();
  const { record, key } = keys.create(
    {
      name: options.name,
      scopes: options.scope,
      expiresAt: options.expires === undefined ? undefined : new Date(now.getTime() + options.expires),
      bindIp: options.bindIp,
    },
    now,
  );
  if (options.json) {
    print({
      id: record.id,
      key: key.reveal(),
      name: record.name,
      scopes: record.scopes,
      expires_at: record.expires_at,
    });
    return;
  }
  process.stdout.write(`${key.reveal()}\n`);
  process.stderr.write(`Key ${record.id} for ${record.name}. It is shown this once: keep it now.\n`);
}

export function listKeys(options: Common): void {
  using keys = open(options);
  const records = keys.list();
  if (options.json) return print(records);
  if (records.length === 0)
    process.stderr.write('No keys yet. hearth-bridge keys create --name NAME makes one.\n');
  for (const record of records) process.stdout.write(`${describe(record, new Date())}\n`);
}

export function revokeKey(id: string, options: Common): void {
  using keys = open(options);
  if (!keys.revoke(id, new Date()))
    throw new CommandFailed(`There is no key ${id}; "hearth-bridge keys list" shows them.`);
  if (options.json) return print({ id, revoked: true });
  process.stdout.write(`Key ${id} is revoked.\n`);
}

function open(options: Common): KeyStore {
  return new KeyStore(loadConfig(options.config).config.state_dir);
}

function describe(record: KeyRecord, now: Date): string {
  const until = record.expires_at;
  const state =
    record.revoked_at !== null
      ? `revoked ${record.revoked_at}`
      : until === null
        ? 'valid'
        : new Date(until) <= now
          ? `expired ${until}`
          : `valid until ${until}`;
  const bound = record.bind_ip === null ? '' : `, only from ${record.bind_ip}`;
  return `${record.id}  ${record.name}  [${record.scopes.join(', ')}]  ${state}${bound}`;
}

function print(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}
