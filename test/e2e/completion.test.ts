/**
 * The whole of Hearth at once: a real engine behind the bridge on one host, a real editor and the agent on another, a
 * real WireGuard tunnel between them and no other way.
 */
import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { currentVsix } from '../../extension/build/package.ts';
import { modelFolder } from '../../server-bridge/engine-llama/src/models/folder.ts';
import { ensureStarter } from '../../server-bridge/engine-llama/starter/ensure.ts';
import { makeAgentHome, startAgent } from '../support/agent-process.ts';
import { argvOf, run, RunningCommand } from '../support/cli.ts';
import { makeNamespaces, type Namespaces } from '../support/namespaces.ts';
import { needs } from '../support/needs.ts';
import { startTunnelServer, writeProfile } from '../support/tunnel-server.ts';
import { openWorkbench, type Workbench } from '../support/workbench.ts';

const FILES = {
  'clamp.ts': 'export function clamp(value: number, low: number, high: number) {\n  ',
  'sleep.ts': 'export function sleep(ms: number): Promise<void> {\n  ',
  'range.ts': 'export function* range(first: number, last: number, stride = 1): Generator<number> {\n  ',
};

describe('a completion in a real editor, through a real tunnel', function () {
  this.timeout(180_000);
  before(function () {
    needs(this, 'root', 'namespaces', 'wireguard', 'chromium', 'code-server');
  });

  it('is shown, accepted, survives the loss of its GPU, and its absence is told', async () => {
    await using parts = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'hearth-e2e-'));
    parts.defer(async () => await rm(folder, { recursive: true, force: true }));
    const net = parts.use(await makeNamespaces());
    const tunnel = await startTunnelServer(net);

    const server = await startServer(net, folder, tunnel.serverAddress);
    parts.use(server.process);

    const home = parts.use(await makeAgentHome());
    await writeProfile(home.configHome, {
      ...tunnel.profile,
      bridge_url: `http://${tunnel.serverAddress}:8000`,
      api_key: server.key,
    });
    const agent = await startAgent(net, home);
    const workbench = parts.use(
      await openWorkbench({
        vsix: await currentVsix(),
        files: FILES,
        env: { HEARTH_AGENT_SOCKET: home.socket },
        prefix: net.prefix('client'),
      }),
    );

    // A failure here has a dozen possible causes in five processes: keep what they said.
    await using failure = evidence(workbench, () => `${server.process.stderr}\n--- agent\n${agent.stderr}`);

    const off = await workbench.waitForStatus(/tunnel off/);
    assert.equal(off.background, 'warning');
    await workbench.screenshot('e2e-1-tunnel-off');
    await workbench.command('Hearth: Connect');
    await workbench.waitForStatus(/coder/);

    await workbench.openFile('clamp.ts');
    await workbench.type('return ');
    assert.equal(await workbench.ghostText('Math.min'), 'Math.min(Math.max(value, low), high);\n}');
    await workbench.waitForStatus(/coder.*rtx6000/);
    await workbench.screenshot('e2e-2-ghost-text');
    await workbench.acceptGhostText();
    const accepted = await workbench.savedText('clamp.ts', (text) => text.includes('high);'));
    assert.equal(accepted.trimEnd(), `${FILES['clamp.ts']}return Math.min(Math.max(value, low), high);\n}`);
    await workbench.screenshot('e2e-3-accepted');

    // The model's file goes too, or the bridge would have its engine back before anybody saw the fallback.
    await rename(server.primaryModel, `${server.primaryModel}.gone`);
    process.kill(server.enginePid('coder-rtx'), 'SIGKILL');
    await workbench.openFile('sleep.ts');
    await workbench.type('return new ');
    assert.match(
      await workbench.ghostText('Promise'),
      /^Promise\(\(resolve\) => setTimeout\(resolve, ms\)\);/,
    );
    const fallback = await workbench.waitForStatus(/light-amd.*fallback/);
    assert.equal(fallback.background, 'warning');
    await workbench.screenshot('e2e-4-fallback');
    await workbench.acceptGhostText();

    await rename(`${server.primaryModel}.gone`, server.primaryModel);
    await server.process.prints(
      /"backend":"coder-rtx","pid":\d+,.*engine ready[^]*"backend":"coder-rtx","pid":\d+,.*engine ready/,
    );
    await workbench.openFile('range.ts');
    await workbench.type('for (let at = ');
    await workbench.ghostText('first');
    await workbench.waitForStatus(/coder.*rtx6000/);
    await workbench.screenshot('e2e-5-back-again');

    await net.cut();
    await workbench.waitForStatus(/tunnel silent|reconnecting/);
    await workbench.screenshot('e2e-6-cut');
    await net.restore();
    await workbench.waitForStatus(/coder/, 30_000);

    await workbench.command('Hearth: Disconnect');
    await workbench.waitForStatus(/tunnel off/, 5_000);
    await workbench.screenshot('e2e-7-disconnected');
    await workbench.press('Escape');
    await workbench.type('first');
    await workbench.savedText('range.ts', (text) => text.includes('for (let at = first'));
    failure.forget();
  });
});

/** Unless it is told to forget, keeps a picture and the logs among the artifacts when it is disposed of. */
function evidence(workbench: Workbench, logs: () => string): AsyncDisposable & { forget: () => void } {
  let wanted = true;
  return {
    forget: () => {
      wanted = false;
    },
    async [Symbol.asyncDispose]() {
      if (!wanted) return;
      const picture = await workbench.screenshot('e2e-failure');
      await writeFile(picture.replace(/png$/, 'log'), logs());
    },
  };
}

interface Server {
  process: RunningCommand;
  key: string;
  primaryModel: string;
  enginePid: (backend: string) => number;
}

/** The bridge on the tunnel's address, with two embedded engines that stand for the two cards. */
async function startServer(net: Namespaces, folder: string, address: string): Promise<Server> {
  const starter = await ensureStarter(modelFolder(process.env));
  const primaryModel = join(folder, 'coder.gguf');
  await copyFile(starter, primaryModel);
  await copyFile(starter, join(folder, 'light.gguf'));
  const config = join(folder, 'hearth.yaml');
  await writeFile(
    config,
    `listen: { api: { host: ${address}, port: 8000 } }
gpus:
  - { id: rtx6000, vendor: nvidia, memory_gb: 96 }
  - { id: rx9070xt, vendor: amd, memory_gb: 16 }
backends:
  - { id: coder-rtx, engine: embedded, model: ./coder.gguf, gpu: rtx6000, context: 2048 }
  - { id: light-amd, engine: embedded, model: ./light.gguf, gpu: rx9070xt, context: 2048 }
models:
  - { id: coder, title: Qwen3-Coder 30B, backends: [coder-rtx, light-amd] }
`,
  );
  const made = await run('hearth-bridge', ['keys', 'create', '--name', 'pc', '--json', '--config', config]);
  const { key } = JSON.parse(made.stdout) as { key: string };
  const bridge = new RunningCommand(
    net.spawn('server', argvOf('hearth-bridge', 'serve', '--config', config)),
  );
  await bridge.prints(/"backend":"coder-rtx".*engine ready/);
  await bridge.prints(/"backend":"light-amd".*engine ready/);
  return {
    process: bridge,
    key,
    primaryModel,
    enginePid: (backend) =>
      Number(new RegExp(`"backend":"${backend}","pid":(\\d+),.*engine ready`).exec(bridge.stderr)?.[1]),
  };
}
