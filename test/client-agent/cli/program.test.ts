/** The command line as a script sees it: exit codes, which stream says what, no colours into a pipe. */
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import packageJson from '../../../client-agent/package.json' with { type: 'json' };
import { run } from '../../support/cli.ts';

const NOBODY = { HEARTH_AGENT_SOCKET: join(tmpdir(), 'hearth-no-agent-here', 'agent.sock') };
const agent = (...args: string[]) => run('hearth-agent', args, NOBODY);

describe('hearth-agent command line', () => {
  it('helps and says its version with 0, on stdout', async () => {
    const help = await agent('--help');
    assert.equal(help.code, 0);
    for (const command of ['run', 'connect', 'disconnect', 'status'])
      assert.match(help.stdout, new RegExp(`^ {2}${command}`, 'm'));
    const version = await agent('--version');
    assert.deepEqual([version.code, version.stdout], [0, `${packageJson.version}\n`]);
  });

  for (const args of [['bogus'], ['status', '--bogus'], ['connect', 'somewhere'], []])
    it(`ends with 2 for "${args.join(' ')}"`, async () => {
      const { code, stdout, stderr } = await agent(...args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.notEqual(stderr, '');
    });

  for (const args of [['status'], ['status', '--json'], ['status', '--watch'], ['connect'], ['disconnect']])
    it(`ends with 3 where no agent runs: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await agent(...args);
      assert.deepEqual([code, stdout], [3, '']);
      assert.match(stderr, /^hearth-agent: The agent is not running/);
    });
});
