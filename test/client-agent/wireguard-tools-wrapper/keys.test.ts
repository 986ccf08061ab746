/** Keys are those that `wg` would make, and hide themselves. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { inspect } from 'node:util';
import { generateKeyPair, publicKeyOf, wireguardKey } from 'wireguard-tools-wrapper/keys';
import { needs } from '../../support/needs.ts';

describe('WireGuard keys', () => {
  it('gives the public key of a private one, as `wg pubkey` does', function () {
    needs(this, 'wireguard');
    const { privateKey, publicKey } = generateKeyPair();
    const wg = execFileSync('wg', ['pubkey'], { input: privateKey.reveal(), encoding: 'utf8' });
    assert.equal(publicKey, wg.trim());
  });

  it('makes well-formed pairs that belong together and differ', () => {
    const pairs = Array.from({ length: 20 }, () => generateKeyPair());
    for (const { privateKey, publicKey } of pairs) {
      wireguardKey.parse(privateKey.reveal());
      wireguardKey.parse(publicKey);
      assert.equal(publicKeyOf(privateKey), publicKey);
    }
    assert.equal(new Set(pairs.map(({ publicKey }) => publicKey)).size, pairs.length);
  });

  it('prints a private key as stars, however it is printed', () => {
    const { privateKey } = generateKeyPair();
    const printed = [String(privateKey), JSON.stringify({ privateKey }), inspect({ privateKey })].join(' ');
    assert.ok(!printed.includes(privateKey.reveal()));
  });
});
