/** The process runner with real processes: small programs that behave as model servers do, well and badly. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { ProcessRunner } from '../../../../server-bridge/src/lifecycle/runners/process.ts';
import type { RunnerExit } from '../../../../server-bridge/src/lifecycle/runners/runner.ts';

const never = new AbortController().signal;
const STAYS = 'setInterval(() => {}, 1000);';
/** A helper in the server's group that doesn't care for SIGTERM, as an engine's worker may; its pid is printed. */
const WITH_HELPER = `
  const code = "process.on('SIGTERM', () => {}); console.log(process.pid); setInterval(() => {}, 1000)";
  require('node:child_process').spawn(process.execPath, ['-e', code], { stdio: 'inherit' });
  ${STAYS}`;

const pause = async (ms = 10) => await new Promise((resolve) => setTimeout(resolve, ms));
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
const gone = async (pid: number) => {
  while (isAlive(pid)) await pause();
};

/** A runner of a program in JavaScript, with what it printed and how it ended. */
function runner(code: string, patienceMs?: number) {
  return runnerOf([process.execPath, '-e', code], patienceMs);
}

function runnerOf(command: string[], patienceMs?: number) {
  const exits: RunnerExit[] = [];
  const lines: { msg: string; level: number; pid?: number }[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const options = { backend: 'own', log, onExit: (exit: RunnerExit) => void exits.push(exit) };
  const own = new ProcessRunner(command, options, patienceMs);
  return {
    own,
    exits,
    lines,
    /** Waits for a line of its output. */
    said: async (pattern: RegExp) => {
      for (;;) {
        const line = lines.find(({ msg, level }) => level === 20 && pattern.test(msg));
        if (line !== undefined) return line.msg;
        await pause();
      }
    },
    async [Symbol.asyncDispose]() {
      await own.close();
    },
  };
}

describe('runner: a process', function () {
  this.timeout(30_000);

  it('is started as an argument vector that no shell reads, its output in the log at debug', async () => {
    const code = 'console.log(process.argv.slice(1).join("|")); console.error("and this");' + STAYS;
    await using one = runnerOf([process.execPath, '-e', code, '--', '$HOME', 'a b', '; echo no']);
    assert.equal(await one.own.running(), 'no');
    await one.own.start(never);
    assert.equal(await one.own.running(), 'yes');
    assert.equal(await one.said(/HOME/), '$HOME|a b|; echo no');
    await one.said(/and this/);
    const pid = one.own.pid;
    await one.own.start(never);
    assert.equal(one.own.pid, pid, 'a second start leaves it be');
    await one.own.stop(never);
    assert.ok(pid !== undefined && !isAlive(pid));
    assert.equal(await one.own.running(), 'no');
    await one.own.stop(never);
    assert.deepEqual(one.exits, []);
  });

  it('that is not there is a clear error, and isn’t tried again', async () => {
    const { own, exits, lines } = runnerOf(['no-such-model-server', '--port', '1']);
    await assert.rejects(own.start(never), { message: 'there is no program "no-such-model-server"' });
    assert.equal(await own.running(), 'no');
    await pause(1_200);
    assert.deepEqual([exits, lines], [[], []]);
    const folder = runnerOf([tmpdir()]);
    await assert.rejects(folder.own.start(never), /may not be run/);
    await assert.rejects(runnerOf([process.execPath, 'a\0b']).own.start(never), /can't be started/);
  });

  it('that dies is started again, later each time, and its last words are told', async () => {
    await using one = runner('console.error("out of memory"); process.exit(7)');
    await one.own.start(never);
    while (one.exits.length < 2) await pause();
    assert.deepEqual(one.exits[0], {
      reason: 'its process ended (exit code 7)',
      lastWords: 'out of memory',
      retryMs: 1_000,
    });
    assert.equal(one.exits[1]?.retryMs, 2_000);
    await one.own.stop(never);
    assert.equal(one.exits.length, 2);
  });

  it('that was ready before it died is started again soon', async () => {
    await using one = runner(`console.log('up'); ${STAYS}`);
    await one.own.start(never);
    for (const expected of [1_000, 1_000]) {
      one.exits.length = 0;
      while (one.own.pid === undefined) await pause();
      one.own.answered();
      process.kill(one.own.pid, 'SIGKILL');
      while (one.exits.length === 0) await pause();
      assert.equal(one.exits[0]?.retryMs, expected);
      assert.match(one.exits[0]?.reason ?? '', /SIGKILL/);
    }
  });

  it('that ignores SIGTERM is killed when its patience is over', async () => {
    await using one = runner(
      `process.on('SIGTERM', () => console.log('no')); console.log('up'); ${STAYS}`,
      300,
    );
    await one.own.start(never);
    await one.said(/up/);
    const pid = one.own.pid;
    const before = performance.now();
    await one.own.stop(never);
    assert.ok(performance.now() - before >= 290);
    await one.said(/no/);
    assert.ok(pid !== undefined && !isAlive(pid));
  });

  it('ends with what it has started: told to stop, and when it dies by itself', async () => {
    await using one = runner(WITH_HELPER, 300);
    await one.own.start(never);
    const first = Number(await one.said(/^\d+$/));
    process.kill(one.own.pid ?? 0, 'SIGKILL');
    await gone(first);
    one.lines.length = 0;
    const second = Number(await one.said(/^\d+$/));
    assert.notEqual(second, first);
    await one.own.stop(never);
    await gone(second);
  });

  it('can be started again while it is still stopping', async () => {
    await using one = runner(
      `process.on('SIGTERM', () => setTimeout(() => process.exit(), 200)); console.log('up'); ${STAYS}`,
    );
    await one.own.start(never);
    await one.said(/up/);
    const first = one.own.pid;
    const stopping = one.own.stop(never);
    await one.own.start(never);
    assert.ok(first !== undefined && !isAlive(first));
    assert.equal(await one.own.running(), 'yes');
    await stopping;
  });

  it('goes on stopping when nobody waits for it any more', async () => {
    await using one = runner(`process.on('SIGTERM', () => {}); console.log('up'); ${STAYS}`, 300);
    await one.own.start(never);
    await one.said(/up/);
    const pid = one.own.pid ?? 0;
    await assert.rejects(one.own.stop(AbortSignal.timeout(20)), { name: 'TimeoutError' });
    assert.ok(isAlive(pid));
    await gone(pid);
  });

  it('goes with a bridge that exits in a hurry, and stays when that is killed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-runner-'));
    const file = fileURLToPath(
      new URL('../../../../server-bridge/src/lifecycle/runners/process.ts', import.meta.url),
    );
    const bridge = join(folder, 'bridge.ts');
    const log = '{ debug() {}, info() {}, warn() {} }';
    await writeFile(
      bridge,
      `import { ProcessRunner } from ${JSON.stringify(file)};
      const command = [process.execPath, '-e', ${JSON.stringify(STAYS)}];
      const own = new ProcessRunner(command, { backend: 'own', log: ${log} as never, onExit: () => {} });
      await own.start(AbortSignal.timeout(5000));
      process.on('SIGTERM', () => process.exit(1));
      console.log(own.pid);`,
    );
    try {
      for (const [signal, stays] of [
        ['SIGTERM', false],
        ['SIGKILL', true],
      ] as const) {
        const child = spawn(process.execPath, [bridge], { stdio: ['ignore', 'pipe', 'inherit'] });
        const [printed] = (await once(child.stdout, 'data')) as [Buffer];
        const pid = Number(printed);
        child.kill(signal);
        await once(child, 'exit');
        if (stays) {
          assert.ok(isAlive(pid));
          process.kill(pid, 'SIGKILL');
        }
        await gone(pid);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
