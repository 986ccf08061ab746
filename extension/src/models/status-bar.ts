/** The status bar item `hearth.status`: the thin editor side of status-text, redrawn on every change. */
import * as vscode from 'vscode';
import type { Connection } from '../connection/connection.ts';
import type { Settings } from '../settings.ts';
import { statusText } from './status-text.ts';
import type { StatusText } from './status-text.ts';

const BACKGROUND = {
  normal: undefined,
  warning: new vscode.ThemeColor('statusBarItem.warningBackground'),
  error: new vscode.ThemeColor('statusBarItem.errorBackground'),
};

const LINKS = ['hearth.selectModel', 'hearth.toggleCompletions', 'hearth.showLog'];

export type StatusBarParts = { connection: Connection; settings: () => Settings };

export function showStatusBar({ connection, settings }: StatusBarParts): vscode.Disposable {
  const item = vscode.window.createStatusBarItem('hearth.status', vscode.StatusBarAlignment.Right, 100);
  item.name = 'Hearth';
  const draw = () => {
    const now = settings();
    const status = statusText(
      {
        standing: connection.standing,
        agent: connection.agentStatus,
        enabled: now['completion.enabled'],
        model: now['completion.model'],
      },
      vscode.l10n.t,
    );
    item.text = `$(${status.icon}) Hearth: ${status.text}`;
    item.accessibilityInformation = { label: `Hearth: ${status.text}` };
    item.backgroundColor = BACKGROUND[status.severity];
    item.command = commandOf(status.action);
    item.tooltip = tooltip(status, connection);
  };
  const listening = connection.onDidChange(draw);
  const configured = vscode.workspace.onDidChangeConfiguration((event) => {
    if (event.affectsConfiguration('hearth')) draw();
  });
  // The settings of one language or folder may be others.
  const moved = vscode.window.onDidChangeActiveTextEditor(draw);
  draw();
  item.show();
  return vscode.Disposable.from(item, configured, moved, { dispose: () => listening[Symbol.dispose]() });
}

function commandOf(action: StatusText['action']): string | vscode.Command {
  if (action !== 'setUp') return `hearth.${action}`;
  return { command: 'workbench.action.openSettings', title: 'Hearth', arguments: ['hearth.bridgeUrl'] };
}

function tooltip(status: StatusText, connection: Connection): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString('', true);
  markdown.isTrusted = { enabledCommands: LINKS };
  const [sentence = '', ...details] = status.details;
  markdown.appendMarkdown(`$(${status.icon}) **Hearth** — `).appendText(sentence);
  for (const line of details) markdown.appendMarkdown('\n\n').appendText(line);
  const { agentStatus: agent } = connection;
  if (agent?.state === 'connected' || agent?.state === 'degraded') {
    const through = vscode.l10n.t('Through the tunnel to {0}', agent.server ?? '?');
    const rtt = agent.rtt_ms === null ? '' : ` · ${Math.round(agent.rtt_ms)} ms`;
    markdown.appendMarkdown('\n\n$(lock) ').appendText(through + rtt);
  } else if (connection.route.kind === 'direct')
    markdown.appendMarkdown('\n\n$(plug) ').appendText(connection.route.url);
  const links = [
    `[${vscode.l10n.t('Select Model')}](command:hearth.selectModel)`,
    `[${vscode.l10n.t('Completions On or Off')}](command:hearth.toggleCompletions)`,
    `[${vscode.l10n.t('Show Log')}](command:hearth.showLog)`,
  ];
  return markdown.appendMarkdown(`\n\n---\n\n${links.join(' · ')}`);
}
