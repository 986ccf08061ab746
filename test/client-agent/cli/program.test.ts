/** The command line as a script sees it: exit codes, which stream says what, no colours into a pipe. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { agentStatus } from '@hearth/protocol';
import packageJson from '../../../client-agent/package.json' with { type: 'json' };
import { makeAgentHome } from '../../support/agent-process.ts';
import type { AgentHome } from '../../support/agent-process.ts';
import { argvOf, run, RunningCommand, start } from '../../support/cli.ts';

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

  for (const args of [
    ['status'],
    ['status', '--json'],
    ['--json', 'status'],
    ['status', '--watch'],
    ['connect'],
    ['connect', '--json'],
    ['disconnect'],
    ['disconnect', '--json'],
  ])
    it(`ends with 3 where no agent runs: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await agent(...args);
      assert.deepEqual([code, stdout], [3, '']);
      assert.match(stderr, /^hearth-agent: The agent is not running/);
    });

  describe('with an agent without a profile', () => {
    let home: AgentHome;
    let running: RunningCommand;
    beforeEach(async () => {
      home = await makeAgentHome();
      running = start('hearth-agent', ['run', '--no-tray', '--json'], home.env);
      await running.prints(/\}\n/);
    });
    afterEach(async () => {
      await running[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    });

    it('gives the status as one JSON document and nothing else on stdout', async () => {
      const commands: [string[], number][] = [
        [['connect', '--json'], 3],
        [['disconnect', '--json'], 0],
        [['--json', 'status'], 3],
      ];
      for (const [args, code] of commands) {
        const done = await run('hearth-agent', args, home.env);
        assert.deepEqual([done.code, agentStatus.parse(JSON.parse(done.stdout)).state], [code, 'unenrolled']);
      }
      assert.equal(agentStatus.parse(JSON.parse(running.stdout)).state, 'unenrolled');
    });

    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      it(`ends in order on ${signal}`, async () => {
        running.child.kill(signal);
        assert.equal((await running.finished).code, 0);
        assert.deepEqual(await readdir(dirname(home.socket)), ['agent.sock.lock']);
      });

    it('ends in order when its log can no longer be written, as on a terminal that is gone', async () => {
      const other = await makeAgentHome();
      const argv = argvOf('hearth-agent', 'run', '--no-tray');
      const child = spawn('sh', ['-c', 'exec "$@" 2>/dev/full', 'sh', ...argv], { env: other.env });
      await using deaf = new RunningCommand(child);
      await deaf.prints(/ready/);
      deaf.child.kill('SIGHUP');
      assert.equal((await deaf.finished).code, 0);
      await other[Symbol.asyncDispose]();
    });
  });
});
