/** The wrapper's commands as they leave it: arguments, stdin, environment, and the way back after a failure. */
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { inspect } from 'node:util';
import { WireguardError } from 'wireguard-tools-wrapper/errors';
import { generateKeyPair } from 'wireguard-tools-wrapper/keys';
import type { Program } from 'wireguard-tools-wrapper/programs';
import { Wireguard } from 'wireguard-tools-wrapper/wireguard';
import { recordSpawn } from './recorded-spawn.ts';

const keys = generateKeyPair();
const preshared = generateKeyPair().privateKey;
const peer = generateKeyPair().publicKey;
const findProgram = (program: Program) => program;
const CONFIG = {
  name: 'hearth0',
  privateKey: keys.privateKey,
  addresses: ['10.77.0.2/32', 'fd00:77::2/128'],
  peers: [
    {
      publicKey: peer,
      presharedKey: preshared,
      endpoint: 'vpn.example.org:51820',
      allowedIps: ['10.77.0.0/24', 'fd00:77::/64'],
      keepalive: 25,
    },
  ],
};
const ABSENT = { status: 1, stderr: 'Cannot find device "hearth0"\n' };
const NO_WG = { status: 1, stderr: 'Unable to access interface: No such device\n' };

/** A system where nothing is there at first and `failing` fails with the given words. */
function system(failing = 'nothing', stderr = '') {
  let made = false;
  return recordSpawn((line) => {
    if (line.startsWith(failing)) return { status: 1, stderr };
    if (line.startsWith('ip link add')) made = true;
    if (line.startsWith('ip link del')) made = false;
    if (line.startsWith('wg show')) return made ? { stdout: `p\t${keys.publicKey}\t1\toff\n` } : NO_WG;
    if (line.startsWith('ip link show')) return made ? {} : ABSENT;
    return {};
  });
}

const lines = (calls: { program: string; args: readonly string[] }[]) =>
  calls.map(({ program, args }) => [program, ...args].join(' '));

describe('wireguard-tools-wrapper', () => {
  it('brings an interface up with the keys on stdin and nowhere else', async () => {
    const { spawn, calls } = system();
    await new Wireguard({ spawn, findProgram }).up(CONFIG);
    assert.deepEqual(lines(calls).slice(2), [
      'ip link add dev hearth0 type wireguard',
      'wg setconf hearth0 /dev/stdin',
      'ip -4 address add 10.77.0.2/32 dev hearth0 noprefixroute',
      'ip -6 address add fd00:77::2/128 dev hearth0 noprefixroute',
      'ip link set dev hearth0 mtu 1280 up',
      'ip -4 route add 10.77.0.0/24 dev hearth0',
      'ip -6 route add fd00:77::/64 dev hearth0',
    ]);
    const input = calls.find(({ args }) => args[0] === 'setconf')?.input ?? '';
    assert.match(input, /PersistentKeepalive = 25/);
    for (const secret of [keys.privateKey.reveal(), preshared.reveal()]) {
      assert.ok(input.includes(secret));
      const seen = calls.map(({ program, args, env }) => ({ program, args, env }));
      assert.ok(!inspect(seen, { depth: 5 }).includes(secret));
    }
    assert.ok(
      calls.every(({ env }) => Object.keys(env).every((name) => /^(LC_ALL|PATH|WG_\w+)$/.test(name))),
    );
  });

  it('takes a half-made interface down, and keeps keys out of the error', async () => {
    const { spawn, calls } = system('wg setconf', `Key is not right: \`${keys.privateKey.reveal()}'`);
    await assert.rejects(new Wireguard({ spawn, findProgram }).up(CONFIG), (error) => {
      assert.ok(error instanceof WireguardError);
      assert.equal(error.code, 'command_failed');
      assert.equal(error.message, "wg failed: Key is not right: `***'");
      return true;
    });
    assert.ok(lines(calls).includes('ip link del dev hearth0'));
  });

  it('takes it down when it is aborted in the middle', async () => {
    const abort = new AbortController();
    const inner = system();
    const outer = recordSpawn((line) => {
      if (!line.startsWith('wg setconf')) return {};
      setImmediate(() => abort.abort());
      return { hangs: true };
    });
    const spawn = ((...args: Parameters<typeof inner.spawn>) =>
      args[1][0] === 'setconf' ? outer.spawn(...args) : inner.spawn(...args)) as typeof inner.spawn;
    const up = new Wireguard({ spawn, findProgram }).up(CONFIG, { signal: abort.signal });
    await assert.rejects(up, { name: 'AbortError' });
    assert.ok(lines(inner.calls).includes('ip link del dev hearth0'));
  });

  const failures: [string, string, string][] = [
    ['ip link add', 'RTNETLINK answers: Operation not permitted', 'not_permitted'],
    ['ip link add', 'RTNETLINK answers: File exists', 'interface_exists'],
    ['wg setconf', "Name or service not known: `vpn.example.org:51820'", 'endpoint_unresolved'],
    ['ip -4 route', 'RTNETLINK answers: File exists', 'route_exists'],
  ];
  for (const [command, stderr, code] of failures)
    it(`answers ${code} when "${command}" says so`, async () => {
      const { spawn } = system(command, stderr);
      await assert.rejects(new Wireguard({ spawn, findProgram }).up(CONFIG), { code });
    });

  describe('when wg does not end', () => {
    beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
    afterEach(() => mock.timers.reset());

    const late = (endpoint: string) => {
      const { spawn } = recordSpawn(() => ({ hangs: true }));
      const work = new Wireguard({ spawn, findProgram }).setEndpoint('hearth0', peer, endpoint);
      mock.timers.tick(10_000);
      return work;
    };

    it('says that the name of the endpoint has no address', async () => {
      await assert.rejects(late('vpn.example.org:51820'), {
        code: 'endpoint_unresolved',
        message: /vpn\.example\.org/,
      });
    });

    for (const endpoint of ['192.0.2.1:51820', '[fd00::1]:51820'])
      it(`says that it was late where there was nothing to look up: ${endpoint}`, async () => {
        await assert.rejects(late(endpoint), { code: 'timeout' });
      });

    it('says so when it happens while bringing the interface up', async () => {
      const inner = system();
      const outer = recordSpawn((line) => {
        if (!line.startsWith('wg setconf')) return {};
        setImmediate(() => mock.timers.tick(10_000));
        return { hangs: true };
      });
      const spawn = ((...args: Parameters<typeof inner.spawn>) =>
        args[1][0] === 'setconf' ? outer.spawn(...args) : inner.spawn(...args)) as typeof inner.spawn;
      await assert.rejects(new Wireguard({ spawn, findProgram }).up(CONFIG), { code: 'endpoint_unresolved' });
      assert.ok(lines(inner.calls).includes('ip link del dev hearth0'));
    });
  });

  it('leaves an interface alone that was there before', async () => {
    const { spawn, calls } = recordSpawn((line) => (line.startsWith('wg show') ? NO_WG : {}));
    const wireguard = new Wireguard({ spawn, findProgram });
    await assert.rejects(wireguard.up(CONFIG), { code: 'interface_exists' });
    assert.deepEqual(lines(calls), ['wg show hearth0 dump', 'ip link show dev hearth0']);
  });

  const bad: [string, object][] = [
    ['a name that is an option', { name: '-all' }],
    ['a name that is too long', { name: 'sixteen-letters-' }],
    ['a key that is none', { privateKey: { reveal: () => 'short' } }],
    ['an address without a prefix', { addresses: ['10.77.0.2'] }],
    ['an MTU below that of IPv6', { mtu: 1_000 }],
    ['an endpoint without a port', { peers: [{ ...CONFIG.peers[0], endpoint: 'vpn.example.org' }] }],
    ['an endpoint with an option', { peers: [{ ...CONFIG.peers[0], endpoint: '-x:1' }] }],
    ['the whole network', { peers: [{ ...CONFIG.peers[0], allowedIps: ['0.0.0.0/0'] }] }],
    ['a route with host bits', { peers: [{ ...CONFIG.peers[0], allowedIps: ['10.77.0.1/24'] }] }],
    ['an endpoint inside the tunnel', { peers: [{ ...CONFIG.peers[0], endpoint: '10.77.0.9:51820' }] }],
    ['an unknown key', { preUp: 'rm -rf /' }],
  ];
  for (const [what, change] of bad)
    it(`runs nothing for ${what}`, async () => {
      const { spawn, calls } = system();
      const up = new Wireguard({ spawn, findProgram }).up({ ...CONFIG, ...change });
      await assert.rejects(up, { name: 'ZodError' });
      assert.equal(calls.length, 0);
    });
});
