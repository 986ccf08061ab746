/** Who is asking, once known. */
export type Scope = 'inference' | 'index' | 'admin';
export const SCOPES: readonly Scope[] = ['inference', 'index', 'admin'];

export interface Principal {
  /** The key's id; `anonymous` where the bridge runs without keys. */
  keyId: string;
  scopes: readonly Scope[];
}

export const ANONYMOUS: Principal = { keyId: 'anonymous', scopes: SCOPES };
