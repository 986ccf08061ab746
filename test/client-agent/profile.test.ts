/** The profile file: read only when it is this user's alone, and never quoted in a complaint. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair } from 'wireguard-tools-wrapper/keys';
import { readProfile, sameProfile } from '../../client-agent/src/profile.ts';

const SECRET = generateKeyPair().privateKey.reveal();
const PROFILE = {
  private_key: SECRET,
  address: '10.77.0.2/32',
  server_public_key: generateKeyPair().publicKey,
  endpoint: 'vpn.example.org:51820',
  allowed_ips: ['10.77.0.0/24'],
  bridge_url: 'http://10.77.0.1:8000',
  api_key: 'hk_id_secret',
};

describe('profile', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-profile-'));
    path = join(folder, 'profile.json');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = (text: string, mode = 0o600) => writeFile(path, text, { mode });
  const problemOf = async () => {
    const result = await readProfile(path);
    assert.equal(result.kind, 'refused');
    return result.kind === 'refused' ? result.problem : assert.fail();
  };

  it('is read with mode 0600, and stricter', async () => {
    await write(JSON.stringify(PROFILE));
    const result = await readProfile(path);
    assert.ok(result.kind === 'loaded');
    assert.equal(result.profile.private_key.reveal(), SECRET);
    assert.equal(result.profile.interface, 'hearth0');
    await chmod(path, 0o400);
    assert.equal((await readProfile(path)).kind, 'loaded');
  });

  it('is none where there is no file', async () => {
    assert.deepEqual(await readProfile(path), { kind: 'none' });
  });

  for (const mode of [0o644, 0o640, 0o620, 0o604, 0o601])
    it(`is refused with mode ${mode.toString(8)}, with the fix`, async () => {
      await write(JSON.stringify(PROFILE));
      await chmod(path, mode);
      assert.equal((await problemOf()).fix, `chmod 600 ${path}`);
    });

  it('is refused as a symbolic link or a folder', async () => {
    await symlink('/dev/null', path);
    assert.equal((await problemOf()).code, 'profile_not_a_file');
    path = folder;
    assert.equal((await problemOf()).code, 'profile_not_a_file');
  });

  it('is the same as another only when every field is, secrets too', async () => {
    const load = async (change: object) => {
      await write(JSON.stringify({ ...PROFILE, ...change }, null, 1));
      const result = await readProfile(path);
      return result.kind === 'loaded' ? result.profile : assert.fail();
    };
    const first = await load({});
    assert.ok(sameProfile(first, await load({})));
    for (const change of [
      { api_key: 'hk_id_other' },
      { private_key: generateKeyPair().privateKey.reveal() },
      { preshared_key: SECRET },
      { endpoint: 'vpn.example.org:51821' },
      { allowed_ips: ['10.77.0.0/25'] },
    ])
      assert.ok(!sameProfile(first, await load(change)), Object.keys(change)[0]);
  });

  const broken: [string, string][] = [
    ['cut off', JSON.stringify(PROFILE).slice(0, -5)],
    ['with a key that is none', JSON.stringify({ ...PROFILE, private_key: `${SECRET}x` })],
    ['with an unknown field', JSON.stringify({ ...PROFILE, dns: '10.77.0.1' })],
    ['without an API key', JSON.stringify({ ...PROFILE, api_key: undefined })],
  ];
  for (const [what, text] of broken)
    it(`is refused ${what}, and its secrets are not quoted`, async () => {
      await write(text);
      const problem = await problemOf();
      assert.equal(problem.code, 'profile_invalid');
      const words = JSON.stringify(problem);
      assert.ok(!words.includes(SECRET.slice(0, 8)) && !words.includes('hk_id'));
    });
});
