/** The commands of this extension. What the user asked for may answer with a message; nothing else ever does. */
import * as vscode from 'vscode';
import { askApiKey } from './connection/api-key.ts';
import type { Connection } from './connection/connection.ts';
import type { Fault } from './connection/fault.ts';
import { selectModel } from './models/select-model.ts';
import type { Settings } from './settings.ts';
import { faultWords } from './words/fault-words.ts';
import { problemWords } from './words/problem-words.ts';
import { writeSetting } from './write-setting.ts';

export type CommandParts = {
  connection: Connection;
  secrets: vscode.SecretStorage;
  settings: () => Settings;
  log: vscode.LogOutputChannel;
};

export function registerCommands(parts: CommandParts): vscode.Disposable {
  const { connection, log } = parts;
  const ending = new AbortController();
  const commands: Record<string, () => Promise<void> | void> = {
    'hearth.connect': () => connect(connection, ending.signal),
    'hearth.disconnect': () => disconnect(connection, ending.signal),
    'hearth.selectModel': () => selectModel(connection, parts.settings),
    'hearth.setApiKey': () => setApiKey(parts),
    'hearth.toggleCompletions': () =>
      writeSetting('completion.enabled', !parts.settings()['completion.enabled']),
    'hearth.showLog': () => log.show(true),
  };
  const registered = Object.entries(commands).map(([id, run]) => vscode.commands.registerCommand(id, run));
  return vscode.Disposable.from(...registered, { dispose: () => ending.abort() });
}

async function connect(connection: Connection, ending: AbortSignal): Promise<void> {
  const options = {
    location: vscode.ProgressLocation.Window,
    title: vscode.l10n.t('Hearth: connecting…'),
  };
  const reply = await vscode.window.withProgress(options, () => connection.connect(ending));
  if (reply.kind === 'ok' || ending.aborted) return;
  const problem = connection.agentStatus?.problem;
  const why = [whyNot(reply), ...(problem === undefined ? [] : problemWords(problem, vscode.l10n.t))];
  await offerLog(vscode.l10n.t('Hearth could not connect: {0}', why.join(' ')));
}

async function disconnect(connection: Connection, ending: AbortSignal): Promise<void> {
  const reply = await connection.disconnect(ending);
  if (reply === undefined) {
    void vscode.window.showInformationMessage(
      vscode.l10n.t('There is no tunnel to take down: no agent is in use.'),
    );
    return;
  }
  if (reply.kind === 'ok' || ending.aborted) return;
  await offerLog(vscode.l10n.t('Hearth could not disconnect: {0}', whyNot(reply)));
}

function whyNot(reply: { kind: 'cancelled' | 'absent' } | Fault): string {
  if ('code' in reply) return faultWords(reply, vscode.l10n.t);
  return reply.kind === 'absent'
    ? faultWords({ code: 'agent_absent', message: '' }, vscode.l10n.t)
    : vscode.l10n.t('The way to the bridge changed meanwhile.');
}

async function offerLog(message: string): Promise<void> {
  const show = vscode.l10n.t('Show Log');
  if ((await vscode.window.showErrorMessage(message, show)) === show)
    await vscode.commands.executeCommand('hearth.showLog');
}

async function setApiKey({ connection, secrets }: CommandParts): Promise<void> {
  const { route } = connection;
  if (route.kind === 'direct') {
    if (await askApiKey(secrets, route.url)) connection.keyChanged();
    return;
  }
  void vscode.window.showInformationMessage(
    route.kind === 'agent'
      ? vscode.l10n.t('No key is needed here: the agent holds it, and gives the editor a short-lived token.')
      : vscode.l10n.t('A key is for a bridge: set the address of yours in hearth.bridgeUrl first.'),
  );
}
