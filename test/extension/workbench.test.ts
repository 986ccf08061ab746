/** The packaged extension in a real VS Code, used as a person would, against a bridge and an agent of the test's own. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentVsix } from '../../extension/build/package.ts';
import { needs } from '../support/needs.ts';
import { openWorkbench } from '../support/workbench.ts';
import type { Workbench } from '../support/workbench.ts';
import { FakeAgent } from './fakes/fake-agent.ts';
import { FakeBridge, model } from './fakes/fake-bridge.ts';

/** The status bar says this, in this colour. */
async function says(editor: Workbench, expected: RegExp, background: string): Promise<void> {
  assert.equal((await editor.waitForStatus(expected)).background, background);
}

/** A message on the screen, which is then put away. */
async function message(editor: Workbench, expected: RegExp): Promise<void> {
  const shown = '.notifications-toasts .notification-list-item-message';
  await editor.page.locator(shown, { hasText: expected }).waitFor();
  await editor.command('Notifications: Clear All Notifications');
  await editor.page.locator(shown).waitFor({ state: 'hidden' });
}

/** The file of the folder comes to say this. */
async function fileSays(editor: Workbench, name: string, expected: RegExp): Promise<void> {
  while (!expected.test(await readFile(join(editor.folder, name), 'utf8'))) await sleep(50);
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
        'log.ts': 'console.log()\n',
        'block.ts': '',
        '.vscode/settings.json': '{ "hearth.completion.model": "auto", "hearth.completion.enabled": true }',
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

  it('goes on behind a bracket that the editor has typed', async () => {
    const editor = workbench();
    bridge.behaviour = { kind: 'answer', text: '"x");\nreturn 1;' };
    await editor.openFile('log.ts');
    for (const key of ['Control+Home', 'End', 'ArrowLeft']) await editor.press(key);
    await editor.type(' ');
    assert.match(await editor.ghostText('return 1;'), /^"x"/);
    await editor.screenshot('ghost-text-behind-bracket');
    await editor.acceptGhostText();
    const saved = await editor.savedText('log.ts', (text) => text.includes('return'));
    assert.equal(saved, 'console.log( "x");\nreturn 1;\n');
  });

  it('opens a block whose brace the editor has typed', async () => {
    const editor = workbench();
    bridge.behaviour = { kind: 'answer', text: '\n  return 1;\n}\nf();' };
    await editor.openFile('block.ts');
    await editor.type('function f() {');
    assert.match(await editor.ghostText('f();'), /return 1;\n/);
    await editor.acceptGhostText();
    const saved = await editor.savedText('block.ts', (text) => text.includes('return'));
    assert.equal(saved, 'function f() {\n  return 1;\n}\nf();');
  });

  it('says that the fallback answered', async () => {
    const editor = workbench();
    bridge.models = [model('coder', 'fallback'), model('small')];
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
    bridge.models = [model('coder'), model('small')];
    await editor.waitForStatus(/Hearth: small/);
    // The folder's own setting stood above the user's.
    await fileSays(editor, '.vscode/settings.json', /"small"/);
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

  it('sends nothing to a web server that is no bridge, and says so', async () => {
    const editor = workbench();
    bridge.models = { code: 'not_found', message: 'There is nothing here.' };
    const before = bridge.seen.length;
    await editor.command('Hearth: Connect');
    await says(editor, /not a Hearth bridge/, 'error');
    await message(editor, /not a Hearth bridge/);
    await editor.screenshot('not-a-bridge');
    await editor.focusEditor();
    await editor.type(' ');
    bridge.models = [model('coder'), model('small')];
    await editor.waitForStatus(/Hearth: small/);
    assert.equal(bridge.seen.length, before);
  });

  it('says why an agent has no tunnel, when told to connect', async () => {
    const editor = workbench();
    assert.ok(agent !== undefined);
    agent.problem = { code: 'profile_mode', message: 'x can be read by others.', fix: 'chmod 600 x' };
    agent.state = 'unenrolled';
    await agent.start();
    const { key } = bridge;
    bridge.key = 'another';
    await says(editor, /key needed/, 'error');
    await editor.command('Hearth: Connect');
    await message(editor, /chmod 600 x/);
    assert.ok(agent.calls.includes('POST /v1/connect'));
    bridge.key = key;
    await agent.stop();
    agent.problem = undefined;
    agent.state = 'disconnected';
    await editor.waitForStatus(/Hearth: small/);
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
