/** The packaged extension in a real VS Code, used as a person would, against a bridge and an agent of the test's own. */
import assert from 'node:assert/strict';
import { currentVsix } from '../../extension/build/package.ts';
import { needs } from '../support/needs.ts';
import { openWorkbench } from '../support/workbench.ts';
import type { Workbench } from '../support/workbench.ts';
import { FakeAgent } from './fakes/fake-agent.ts';
import { FakeBridge } from './fakes/fake-bridge.ts';

/** The status bar says this, in this colour. */
async function says(editor: Workbench, expected: RegExp, background: string): Promise<void> {
  assert.equal((await editor.waitForStatus(expected)).background, background);
}

describe('the extension in a real editor', function () {
  this.timeout(90_000);

  // The tests go on from one another, as a morning's work does: starting an editor for each would take minutes.
  const bridge = new FakeBridge();
  let agent: FakeAgent | undefined;
  let editor: Workbench | undefined;
  const workbench = (): Workbench => {
    assert.ok(editor !== undefined, 'the editor did not start');
    return editor;
  };

  before(async function () {
    needs(this, 'chromium', 'code-server');
    await bridge.start();
    agent = new FakeAgent();
    editor = await openWorkbench({
      vsix: await currentVsix(),
      files: {
        'sum.ts': 'export function sum(a: number, b: number) {\n  return (a);\n}\n',
        'windows.ts': 'const first = 1;\r\n',
      },
      settings: { 'hearth.bridgeUrl': bridge.url },
      env: { HEARTH_AGENT_SOCKET: agent.socketPath },
    });
  });

  after(async () => {
    await editor?.[Symbol.asyncDispose]();
    await bridge[Symbol.asyncDispose]();
    await agent?.[Symbol.asyncDispose]();
  });

  it('finds the bridge by itself', async () => {
    await workbench().waitForStatus(/Hearth: auto/);
  });

  it('shows ghost text, Tab takes it, and the status bar names model and GPU', async () => {
    const editor = workbench();
    bridge.behaviour = { kind: 'answer', text: '+ b)' };
    await editor.openFile('sum.ts');
    for (const key of ['Control+Home', 'ArrowDown', 'End', 'ArrowLeft', 'ArrowLeft']) await editor.press(key);
    await editor.type(' ');
    assert.equal(await editor.ghostText(), '+ b');
    await editor.waitForStatus(/Hearth: coder · rtx6000/);
    await editor.screenshot('ghost-text');
    const asked = bridge.seen.at(-1)?.body;
    await editor.acceptGhostText();
    const saved = await editor.savedText('sum.ts', (text) => text.includes('+ b'));
    assert.equal(saved, 'export function sum(a: number, b: number) {\n  return (a + b);\n}\n');
    assert.equal(asked?.prompt, 'export function sum(a: number, b: number) {\n  return (a ');
    assert.equal(asked.suffix, ');\n}\n');
    assert.deepEqual(asked.hearth, { path: 'sum.ts', language: 'typescript' });
  });

  it('tells in its tooltip how fast that was', async () => {
    assert.match(await workbench().statusTooltip(), /rtx6000[^]*First token after \d+ ms/);
    await workbench().screenshot('status-tooltip');
    await workbench().press('Escape');
  });

  it('writes several lines with the document’s own line ends', async () => {
    const editor = workbench();
    bridge.behaviour = { kind: 'answer', text: 'second = 2;\nconst third = 3;' };
    await editor.openFile('windows.ts');
    await editor.type('const ');
    assert.equal(await editor.ghostText('third'), 'second = 2;\nconst third = 3;');
    await editor.acceptGhostText();
    const saved = await editor.savedText('windows.ts', (text) => text.includes('third'));
    assert.equal(saved, 'const first = 1;\r\nconst second = 2;\r\nconst third = 3;');
    assert.equal(String(bridge.seen.at(-1)?.body.prompt).includes('\r'), false);
  });

  it('says that the fallback answered', async () => {
    const editor = workbench();
    bridge.behaviour = { kind: 'answer', text: 'fourth();', fallback: true };
    await editor.type('\n');
    await editor.ghostText('fourth');
    await says(editor, /coder → light-amd \(fallback\)/, 'warning');
    await editor.screenshot('fallback');
    await editor.press('Escape');
  });

  it('lists the models, and asks for the one chosen', async () => {
    const editor = workbench();
    await editor.command('Hearth: Select Model…');
    await editor.pick('small');
    bridge.behaviour = { kind: 'answer', text: 'fifth();' };
    await editor.focusEditor();
    await editor.type(' ');
    await editor.ghostText('fifth');
    assert.equal(bridge.seen.at(-1)?.body.model, 'small');
    await editor.press('Escape');
  });

  it('says that the bridge is gone, without a pop-up, and finds it again', async () => {
    const editor = workbench();
    await bridge.stop();
    await editor.type(' ');
    await says(editor, /bridge unreachable/, 'error');
    await editor.screenshot('bridge-unreachable');
    assert.deepEqual(await editor.notifications(), []);
    await bridge.start();
    await editor.waitForStatus(/Hearth: small/);
  });

  it('says that a key is needed, takes it at a click, and works with it', async () => {
    const editor = workbench();
    bridge.key = 'hk_1_secret';
    await editor.type(' ');
    await says(editor, /key needed/, 'error');
    await editor.screenshot('key-needed');
    await editor.clickStatus();
    await editor.answer('hk_1_secret');
    await editor.waitForStatus(/Hearth: small/);
    assert.equal(bridge.seen.at(-1)?.authorization, undefined);
    await editor.focusEditor();
    await editor.type(' ');
    await editor.ghostText('fifth');
    assert.equal(bridge.seen.at(-1)?.authorization, 'Bearer hk_1_secret');
    await editor.press('Escape');
  });

  it('switches completions off and on', async () => {
    const editor = workbench();
    const toggle = 'Hearth: Turn Completions On or Off';
    await editor.command(toggle);
    await editor.waitForStatus(/completions off/);
    const before = bridge.seen.length;
    await editor.focusEditor();
    await editor.type('  ');
    await editor.command(toggle);
    await editor.waitForStatus(/Hearth: (small|coder)/);
    assert.equal(bridge.seen.length, before);
  });

  it('goes through the agent when there is one: connects, says at once that the tunnel is off', async () => {
    const editor = workbench();
    assert.ok(agent !== undefined);
    agent.bridgeUrl = bridge.url;
    bridge.key = agent.token;
    await agent.start();
    await says(editor, /tunnel off/, 'warning');
    await editor.screenshot('tunnel-off');
    await editor.command('Hearth: Connect');
    await editor.waitForStatus(/Hearth: small/);
    await editor.focusEditor();
    await editor.type(' ');
    await editor.ghostText('fifth');
    assert.equal(bridge.seen.at(-1)?.authorization, `Bearer ${agent.token}`);
    await editor.press('Escape');
    agent.state = 'reconnecting';
    await says(editor, /reconnecting/, 'warning');
    agent.state = 'connected';
    await editor.waitForStatus(/Hearth: small/);
    await editor.command('Hearth: Disconnect');
    await says(editor, /tunnel off/, 'warning');
    assert.deepEqual(await editor.notifications(), []);
  });
});
