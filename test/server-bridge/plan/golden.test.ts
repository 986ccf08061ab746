import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../../../server-bridge/src/config.ts';
import { planServer } from '../../../server-bridge/src/models/plan/plan.ts';
import { PLAIN, planText } from '../../../server-bridge/src/models/plan/text.ts';
import { run } from '../../support/cli.ts';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

describe('hearth-bridge plan', () => {
  // HEARTH_GOLDEN=write makes them anew; read the difference before you keep it.
  for (const name of ['server', 'swaps', 'search', 'too-large'])
    it(`prints golden/${name}.txt for golden/${name}.yaml`, () => {
      const config = parseConfig(readFileSync(here(`golden/${name}.yaml`), 'utf8'), `${name}.yaml`);
      const text = planText(planServer(config), PLAIN);
      const golden = here(`golden/${name}.txt`);
      if (process.env.HEARTH_GOLDEN === 'write') writeFileSync(golden, text);
      assert.equal(text, readFileSync(golden, 'utf8'));
    });

  it('exits 0 when everything fits; --json is one document with the numbers', async () => {
    const config = here('golden/server.yaml');
    const { code, stdout, stderr } = await run('hearth-bridge', ['plan', '--json', '--config', config]);
    assert.deepEqual([code, stderr], [0, '']);
    const plan = JSON.parse(stdout) as ReturnType<typeof planServer>;
    assert.equal(plan.ok, true);
    const [coder] = plan.cards[0]?.backends ?? [];
    assert.ok(coder?.kind === 'planned');
    assert.deepEqual([coder.backend, coder.fits, coder.context], ['coder-rtx', 'yes', 131_072]);
    const plain = await run('hearth-bridge', ['plan', '--config', config]);
    assert.equal(plain.stdout, readFileSync(here('golden/server.txt'), 'utf8'));
  });

  it('exits 1 when something does not fit, 2 on a bad configuration', async () => {
    const large = await run('hearth-bridge', ['plan', '--config', here('golden/too-large.yaml')]);
    assert.equal(large.code, 1);
    assert.match(large.stderr, /does not fit/);
    assert.equal((await run('hearth-bridge', ['plan', '--config', here('golden/none.yaml')])).code, 2);
  });
});
