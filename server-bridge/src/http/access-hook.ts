/** Decides who is asking, before a handler runs: by key, by token, or nobody where the bridge runs without keys. */
import { HearthError } from '@hearth/protocol';
import type { FastifyRequest } from 'fastify';
import type { KeyStore } from '../access/key-store.ts';
import { ANONYMOUS, type Principal, type Scope } from '../access/principal.ts';
import type { Tokens } from '../access/tokens.ts';

export interface Access {
  keys: KeyStore;
  tokens: Tokens;
}

/**
 * Resolves the principal or throws `invalid_api_key` / `forbidden`. Without `access` everybody is anonymous. With
 * `keyOnly` a token doesn't do: where tokens are given out, one that could renew itself would never end.
 */
export async function authenticate(
  access: Access | undefined,
  request: FastifyRequest,
  scope: Scope,
  { keyOnly = false } = {},
): Promise<Principal> {
  if (access === undefined) return ANONYMOUS;
  const credential = credentialOf(request);
  if (credential === undefined)
    throw new HearthError('invalid_api_key', 'A key is needed: send "authorization: Bearer hk_…".');

  const now = new Date();
  let record;
  if (credential.startsWith('hk_')) record = access.keys.verify(credential, request.ip, now);
  else if (!keyOnly) {
    const keyId = await access.tokens.verify(credential, now);
    record = keyId === undefined ? undefined : access.keys.valid(keyId, request.ip, now);
  }
  if (record === undefined)
    throw new HearthError(
      'invalid_api_key',
      'This key or token is not valid: unknown, expired, revoked, or used from another address.',
    );
  if (!record.scopes.includes(scope))
    throw new HearthError('forbidden', `This key may not do that: it lacks the scope "${scope}".`);
  return { keyId: record.id, scopes: record.scopes };
}

function credentialOf(request: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const header = request.headers['x-api-key'];
  return bearer ?? (typeof header === 'string' ? header : undefined);
}
