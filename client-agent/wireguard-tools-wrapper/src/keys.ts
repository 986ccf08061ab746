/** WireGuard keys, made in this process: no program, no file and no command line ever sees a private one. */
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { z } from 'zod';

/** Anything that hides a value until it is asked for by name; a caller's own secret type will do. */
export interface Concealed {
  reveal(): string;
}

/** 32 bytes in base64, as `wg` prints them; the last character carries only four bits. */
export const wireguardKey = z
  .string()
  .regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, 'a WireGuard key is 32 bytes in base64');

/** The same for a secret one. The message says nothing of the value. */
export const concealedKey = z.custom<Concealed>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    'reveal' in value &&
    typeof value.reveal === 'function' &&
    wireguardKey.safeParse(value.reveal()).success,
  'a WireGuard key is 32 bytes in base64',
);

/** A private key that prints as `***`. */
export class PrivateKey implements Concealed {
  readonly #base64: string;

  constructor(base64: string) {
    this.#base64 = base64;
  }

  reveal(): string {
    return this.#base64;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  /** What `console.log` and `util.inspect` print. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return 'PrivateKey(***)';
  }
}

export interface KeyPair {
  privateKey: PrivateKey;
  /** Base64. */
  publicKey: string;
}

/** The DER header of a PKCS#8 X25519 private key; the 32 bytes follow (RFC 8410, section 7). */
const PKCS8_X25519 = Buffer.from('302e020100300506032b656e04220420', 'hex');

const toBase64 = (base64url: string | undefined) =>
  Buffer.from(base64url ?? '', 'base64url').toString('base64');

/** A fresh X25519 pair from the system's random source. */
export function generateKeyPair(): KeyPair {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  return { privateKey: new PrivateKey(toBase64(d)), publicKey: toBase64(x) };
}

/** The public key of a private one, base64, as `wg pubkey` gives it. */
export function publicKeyOf(privateKey: Concealed): string {
  const raw = Buffer.from(wireguardKey.parse(privateKey.reveal()), 'base64');
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_X25519, raw]), format: 'der', type: 'pkcs8' });
  return toBase64(createPublicKey(key).export({ format: 'jwk' }).x);
}
