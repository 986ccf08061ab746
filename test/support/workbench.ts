/** A real VS Code workbench for tests: code-server with the VSIX installed, driven as a user would, in Chromium. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import { findCodeServer } from '../../extension/web-editor/code-server.ts';
import { QUIET_SETTINGS, startEditor } from '../../extension/web-editor/launch.ts';
import type { RunningEditor } from '../../extension/web-editor/launch.ts';

const ARTIFACTS = fileURLToPath(new URL('../../artifacts', import.meta.url));

const CHROMIUM = '/usr/bin/chromium';
const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Quiet, and steady under a test: nothing saved, formatted, closed or suggested that the test didn't ask for. */
const TEST_SETTINGS = {
  ...QUIET_SETTINGS,
  'files.autoSave': 'off',
  'files.simpleDialog.enable': true,
  'editor.minimap.enabled': false,
  'editor.accessibilitySupport': 'off',
  'editor.cursorBlinking': 'solid',
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' },
  'editor.suggestOnTriggerCharacters': false,
  'editor.parameterHints.enabled': false,
  'editor.fontSize': 16,
  'workbench.colorTheme': 'Default Dark Modern',
  'workbench.reduceMotion': 'on',
  'git.enabled': false,
  'typescript.validate.enable': false,
};

export type WorkbenchOptions = {
  vsix: string;
  /** Files of the folder that is opened: name → text. */
  files: Record<string, string>;
  /** Added to the quiet defaults. */
  settings?: Record<string, unknown>;
  /** Added to the editor's environment, e.g. HEARTH_AGENT_SOCKET. */
  env?: Record<string, string>;
  /** Put before the command lines of editor and browser, e.g. `['ip', 'netns', 'exec', 'client']`. */
  prefix?: string[];
};

export type StatusItem = { text: string; label: string; background: 'normal' | 'warning' | 'error' };

const DEFAULT_MS = 20_000;
const LOOK_MS = 75;
/** The editor puts the extension's id before the item's own. */
const STATUS_ITEM = '.statusbar-item[id="hearth.hearth.hearth.status"]';
const GHOST = '[class*="ghost-text"]';

/** Everything it started and wrote is gone after `await using`. */
export class Workbench implements AsyncDisposable {
  readonly page: Page;
  /** The folder that is open, on disk. */
  readonly folder: string;
  readonly #parts: AsyncDisposableStack;

  constructor(page: Page, folder: string, parts: AsyncDisposableStack) {
    this.page = page;
    this.folder = folder;
    this.#parts = parts;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.disposeAsync();
  }

  /** Runs a command by its full title in the palette, e.g. `Hearth: Connect`. */
  async command(title: string): Promise<void> {
    await this.page.keyboard.press('F1');
    const input = this.page.locator('.quick-input-widget input');
    await input.waitFor();
    await input.fill(`>${title}`);
    const row = this.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first();
    await row.waitFor();
    await this.page.keyboard.press('Enter');
  }

  /** Opens a file of the folder and puts the cursor in it, at its end. */
  async openFile(name: string): Promise<void> {
    await this.page.keyboard.press('Control+P');
    const input = this.page.locator('.quick-input-widget input');
    await input.waitFor();
    await input.fill(name);
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first().waitFor();
    await this.page.keyboard.press('Enter');
    await this.page.locator(`.tab.active[data-resource-name="${name}"]`).waitFor();
    await this.focusEditor();
  }

  /** Puts the keys back into the editor, at the end of its document. */
  async focusEditor(): Promise<void> {
    await this.page.locator('.editor-instance .view-lines').first().click();
    await this.page.keyboard.press('Control+End');
  }

  /** Takes an entry of the quick pick that is open. */
  async pick(label: string): Promise<void> {
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: label }).first().click();
    await this.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  }

  /** Fills in the input box that is open. */
  async answer(text: string): Promise<void> {
    await this.page.locator('.quick-input-widget input').fill(text);
    await this.page.keyboard.press('Enter');
    await this.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
  }

  /** Types into the focused editor, key by key. */
  async type(text: string): Promise<void> {
    await this.page.keyboard.type(text, { delay: 15 });
  }

  async press(key: string): Promise<void> {
    await this.page.keyboard.press(key);
  }

  /** Waits until ghost text is to be seen that contains `part`, and gives all of it. */
  async ghostText(part = '', timeoutMs = DEFAULT_MS): Promise<string> {
    return poll(
      () => this.#readGhostText(),
      (text) => text.trim() !== '' && text.includes(part),
      `ghost text with "${part}"`,
      timeoutMs,
    );
  }

  /** Takes the ghost text with Tab. The editor asks for the next suggestion at once, so new ghost text may follow. */
  async acceptGhostText(): Promise<void> {
    await this.page.keyboard.press('Tab');
  }

  /** Saves the file and reads it from disk once its text satisfies the test. */
  async savedText(
    name: string,
    expected: (text: string) => boolean = () => true,
    timeoutMs = DEFAULT_MS,
  ): Promise<string> {
    await this.page.keyboard.press('Control+S');
    await this.page.locator('.tab.active:not(.dirty)').waitFor();
    return poll(() => readFile(join(this.folder, name), 'utf8'), expected, `${name} as expected`, timeoutMs);
  }

  /** Its first line stands in the line of the cursor, in pieces by colour; the others in a zone below. */
  async #readGhostText(): Promise<string> {
    const first = await this.page.locator(`.editor-instance .view-lines ${GHOST}`).allTextContents();
    const zone = this.page.locator(
      '.editor-instance .view-zones .ghost-text-view-line, .editor-instance .suggest-preview-text .view-line',
    );
    return plain([first.join(''), ...(await zone.allTextContents())].join('\n')).trimEnd();
  }

  /** What Hearth's status bar item shows now. */
  async statusItem(): Promise<StatusItem> {
    const item = this.page.locator(STATUS_ITEM);
    await item.waitFor();
    const classes = (await item.getAttribute('class')) ?? '';
    return {
      text: plain((await item.textContent()) ?? ''),
      label: (await item.getAttribute('aria-label')) ?? '',
      background: classes.includes('error-kind')
        ? 'error'
        : classes.includes('warning-kind')
          ? 'warning'
          : 'normal',
    };
  }

  /** Waits until Hearth's status bar item says this, and its colour has followed: the editor draws that a moment later. */
  async waitForStatus(expected: RegExp, timeoutMs = DEFAULT_MS): Promise<StatusItem> {
    return poll(
      () => this.statusItem(),
      ({ text }) => expected.test(text),
      `the status bar saying ${expected}`,
      timeoutMs,
      ({ text }) => text,
    );
  }

  /** Clicks Hearth's status bar item. */
  async clickStatus(): Promise<void> {
    await this.page.locator(`${STATUS_ITEM} a`).click();
  }

  /** Rests the pointer on Hearth's status bar item and gives the tooltip's text. */
  async statusTooltip(): Promise<string> {
    await this.page.locator(STATUS_ITEM).hover();
    const tooltip = this.page.locator('.workbench-hover-container .hover-contents');
    await tooltip.waitFor();
    return plain(await tooltip.innerText());
  }

  /** The notifications on the screen, which ought to be none while someone types. */
  async notifications(): Promise<string[]> {
    return this.page.locator('.notifications-toasts .notification-list-item-message').allTextContents();
  }

  /** Keeps a picture in the artifacts folder of the tree; gives its path. */
  async screenshot(name: string): Promise<string> {
    await mkdir(ARTIFACTS, { recursive: true });
    const path = join(ARTIFACTS, `${name}.png`);
    await this.page.screenshot({ path });
    return path;
  }
}

/** Starts editor and browser and opens the folder. Some ten seconds; the extension may still be starting then. */
export async function openWorkbench(options: WorkbenchOptions): Promise<Workbench> {
  const codeServer = findCodeServer();
  if (codeServer === undefined) throw new Error('code-server is not installed: ask needs() first');
  await using parts = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), 'hearth-workbench-'));
  parts.defer(() => rm(home, { recursive: true, force: true, maxRetries: 5 }));
  const folder = join(home, 'folder');
  await mkdir(folder);
  for (const [name, text] of Object.entries(options.files)) {
    const file = join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
  }
  const editor: RunningEditor = parts.use(
    await startEditor({
      codeServer,
      vsix: options.vsix,
      dataDir: join(home, 'editor'),
      settings: { ...TEST_SETTINGS, ...options.settings },
      port: 0,
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
    }),
  );
  const browser = parts.use(await launchBrowser(home, options.prefix ?? []));
  const page = await browser.newPage({ viewport: { width: 1200, height: 720 }, colorScheme: 'dark' });
  await page.goto(`${editor.url}/?folder=${encodeURIComponent(folder)}`);
  await page.locator('.monaco-workbench .statusbar').waitFor({ timeout: 60_000 });
  return new Workbench(page, folder, parts.move());
}

/** In a namespace the browser is started by a script, since playwright wants one executable. */
async function launchBrowser(home: string, prefix: string[]): Promise<Browser> {
  let executablePath = CHROMIUM;
  if (prefix.length > 0) {
    executablePath = join(home, 'chromium');
    const quoted = [...prefix, CHROMIUM].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
    await writeFile(executablePath, `#!/bin/sh\nexec ${quoted.join(' ')} "$@"\n`);
    await chmod(executablePath, 0o700);
  }
  return chromium.launch({ executablePath, args: CHROMIUM_FLAGS });
}

/** The editor draws spaces as no-break spaces. */
function plain(text: string): string {
  return text.replaceAll('\u{a0}', ' ');
}

/** Reads until the value is good and stays so for two looks: the editor draws a change in several steps. */
async function poll<T>(
  read: () => Promise<T>,
  good: (value: T) => boolean,
  what: string,
  timeoutMs: number,
  show: (value: T) => string = String,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  let last: string | undefined;
  for (;;) {
    const value = await read();
    const now = JSON.stringify(value);
    if (good(value) && now === last) return value;
    last = now;
    if (Date.now() > end)
      throw new Error(`waited ${timeoutMs / 1_000} s for ${what}; there is: ${show(value)}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
