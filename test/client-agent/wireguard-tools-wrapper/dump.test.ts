/** `wg show IF dump` as wg 1.0.20210914 prints it, and every way in which it could be something else. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseDump } from 'wireguard-tools-wrapper/dump';
import { WireguardError } from 'wireguard-tools-wrapper/errors';
import { generateKeyPair } from 'wireguard-tools-wrapper/keys';

const own = generateKeyPair();
const psk = generateKeyPair().privateKey.reveal();
const peer = generateKeyPair().publicKey;
const idle = generateKeyPair().publicKey;

const DUMP = [
  [own.privateKey.reveal(), own.publicKey, '51820', 'off'],
  [peer, psk, '192.0.2.1:51820', '10.77.0.0/24,fd00:77::/64', '1795460265', '1020', '1076', '25'],
  [idle, '(none)', '(none)', '(none)', '0', '0', '0', 'off'],
]
  .map((fields) => fields.join('\t'))
  .join('\n');

describe('wg dump', () => {
  it('reads interface and peers', () => {
    assert.deepEqual(parseDump(`${DUMP}\n`), {
      publicKey: own.publicKey,
      listenPort: 51_820,
      peers: [
        {
          publicKey: peer,
          endpoint: '192.0.2.1:51820',
          allowedIps: ['10.77.0.0/24', 'fd00:77::/64'],
          latestHandshake: 1_795_460_265,
          rxBytes: 1_020,
          txBytes: 1_076,
          keepalive: 25,
        },
        {
          publicKey: idle,
          endpoint: null,
          allowedIps: [],
          latestHandshake: null,
          rxBytes: 0,
          txBytes: 0,
          keepalive: 0,
        },
      ],
    });
  });

  it('drops the private and the preshared key', () => {
    const printed = JSON.stringify(parseDump(DUMP));
    assert.ok(!printed.includes(own.privateKey.reveal()));
    assert.ok(!printed.includes(psk));
  });

  it('knows an interface that was never given a key', () => {
    assert.equal(parseDump('(none)\t(none)\t0\toff\n').publicKey, null);
  });

  it('refuses any other text without repeating it', () => {
    for (const text of ['', 'x', DUMP.replace('1020', 'many'), DUMP.replace('\t25', '')])
      assert.throws(
        () => parseDump(text),
        (error) => error instanceof WireguardError && !error.message.includes(own.publicKey),
      );
  });

  it('reads or refuses whatever it is given, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.string(), { maxLength: 9 }), { maxLength: 4 }), (rows) => {
        try {
          parseDump(rows.map((fields) => fields.join('\t')).join('\n'));
        } catch (error) {
          assert.ok(error instanceof WireguardError);
        }
      }),
    );
  });
});
