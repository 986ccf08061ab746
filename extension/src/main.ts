/** Starts the extension: builds its parts in order, and again when a setting they hang on changes. Only place that constructs. */
import { homedir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import * as vscode from 'vscode';
import { registerCommands } from './commands.ts';
import { registerCompletions } from './completion/provider.ts';
import { AgentClient } from './connection/agent-client.ts';
import { agentSocketPath } from './connection/agent-socket.ts';
import { readApiKey } from './connection/api-key.ts';
import { BridgeClient } from './connection/bridge-client.ts';
import { Connection } from './connection/connection.ts';
import { Credentials } from './connection/credentials.ts';
import { showStatusBar } from './models/status-bar.ts';
import { parseSettings } from './settings.ts';
import type { Settings } from './settings.ts';

type Parts = {
  connection: Connection;
  secrets: vscode.SecretStorage;
  /** As they are for a document, or for the one being edited. */
  settings: (document?: vscode.TextDocument) => Settings;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  log: vscode.LogOutputChannel;
};

/** What the extension adds to the editor. One that fails is logged, and the others still come. */
const CONTRIBUTIONS: [name: string, start: (parts: Parts) => vscode.Disposable][] = [
  ['commands', registerCommands],
  ['status bar', showStatusBar],
  ['completions', registerCompletions],
];

const CLOCK = { now: () => performance.now(), wall: () => Date.now() };

/** Settings that the connection is built from. */
const REBUILD = ['hearth.bridgeUrl', 'hearth.agent.socket'];

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Hearth', { log: true });
  context.subscriptions.push(log);
  let running = start(context, log);
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (!REBUILD.some((name) => event.affectsConfiguration(name))) return;
      log.info('settings of the connection changed');
      running.dispose();
      running = start(context, log);
    }),
    { dispose: () => running.dispose() },
  );
}

function start(context: vscode.ExtensionContext, log: vscode.LogOutputChannel): vscode.Disposable {
  const settings = (document = vscode.window.activeTextEditor?.document) => {
    const values = vscode.workspace.getConfiguration('hearth', document);
    return parseSettings(
      (name) => values.get(name),
      (problem) => log.warn(problem),
    );
  };
  const now = settings();
  const socket = agentSocketPath(now['agent.socket'], {
    os: process.platform,
    env: process.env,
    home: homedir(),
    uid: process.getuid?.(),
  });
  const agent = socket === undefined ? undefined : new AgentClient(socket);
  const connection = new Connection({
    agent,
    bridge: new BridgeClient(),
    credentials: new Credentials(agent, (url) => readApiKey(context.secrets, url), CLOCK),
    bridgeUrl: now.bridgeUrl,
    log,
    wait,
  });
  const started: vscode.Disposable[] = [{ dispose: () => connection[Symbol.dispose]() }];
  const parts = { connection, secrets: context.secrets, settings, wait, log };
  for (const [name, contribution] of CONTRIBUTIONS) {
    try {
      started.push(contribution(parts));
    } catch (error) {
      log.error(`${name} did not start: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return vscode.Disposable.from(...started.toReversed());
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}
