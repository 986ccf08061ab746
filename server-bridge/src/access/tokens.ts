/** Short-lived tokens for the editor: EdDSA JWTs that name the key they came from and can't outlive it. */
import { linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT, type CryptoKey, type JWK } from 'jose';
import { inState } from './state-directory.ts';

const ALGORITHM = 'EdDSA';
const ISSUER = 'hearth-bridge';

export class Tokens {
  readonly #privateKey: CryptoKey;
  readonly #publicKey: CryptoKey;
  readonly #lifetimeMs: number;

  private constructor(privateKey: CryptoKey, publicKey: CryptoKey, lifetimeMs: number) {
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
    this.#lifetimeMs = lifetimeMs;
  }

  /** Reads the signing key from `state_dir`, or makes it there (mode 0600) the first time. */
  static async open(stateDirectory: string, lifetimeMs: number): Promise<Tokens> {
    const file = join(stateDirectory, 'token-signing-key.json');
    const made = await newJwk();
    const jwk = inState(stateDirectory, () => readJwk(file) ?? keepJwk(file, made));
    const { d: _, ...publicJwk } = jwk;
    const privateKey = (await importJWK(jwk, ALGORITHM)) as CryptoKey;
    const publicKey = (await importJWK(publicJwk, ALGORITHM)) as CryptoKey;
    return new Tokens(privateKey, publicKey, lifetimeMs);
  }

  async issue(keyId: string, now: Date): Promise<{ token: string; expiresAt: Date }> {
    const expiresAt = new Date(Math.floor((now.getTime() + this.#lifetimeMs) / 1_000) * 1_000);
    const token = await new SignJWT()
      .setProtectedHeader({ alg: ALGORITHM })
      .setIssuer(ISSUER)
      .setSubject(keyId)
      .setIssuedAt(now)
      .setExpirationTime(expiresAt)
      .sign(this.#privateKey);
    return { token, expiresAt };
  }

  /** The id of the key that a good token was made from. */
  async verify(token: string, now: Date): Promise<string | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        currentDate: now,
        requiredClaims: ['sub', 'exp'],
      });
      return payload.sub;
    } catch {
      // Forged, foreign, expired or not a token at all: the caller's answer is the same for each.
      return undefined;
    }
  }
}

function readJwk(file: string): JWK | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as JWK;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function newJwk(): Promise<JWK> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  return await exportJWK(privateKey);
}

/** The key that is in the file afterwards, which is another's if that was quicker. */
function keepJwk(file: string, jwk: JWK): JWK {
  // Written whole beside it, then linked: a crash leaves no half key, and of two bridges that start at once one wins.
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(jwk), { mode: 0o600 });
  try {
    linkSync(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    unlinkSync(draft);
  }
  return readJwk(file) ?? jwk;
}
