/** The user's API key, in the editor's SecretStorage: one for each bridge, so that a changed address never gets another's key. */
import { Secret } from '@hearth/protocol';
import * as vscode from 'vscode';

/** The storage's name for a bridge's key. */
function slot(url: string): string {
  return `hearth.apiKey ${URL.canParse(url) ? new URL(url).origin : url}`;
}

export async function readApiKey(secrets: vscode.SecretStorage, url: string): Promise<Secret | undefined> {
  const value = await secrets.get(slot(url));
  return value === undefined || value === '' ? undefined : new Secret(value);
}

/** Asks for the key; an empty answer removes it. Resolves to whether it changed. */
export async function askApiKey(secrets: vscode.SecretStorage, url: string): Promise<boolean> {
  const value = await vscode.window.showInputBox({
    title: vscode.l10n.t('API key for {0}', url),
    prompt: vscode.l10n.t('It is kept in the editor’s secret storage. Leave it empty to remove the key.'),
    placeHolder: 'hk_…',
    password: true,
    ignoreFocusOut: true,
  });
  if (value === undefined) return false;
  if (value.trim() === '') await secrets.delete(slot(url));
  else await secrets.store(slot(url), value.trim());
  return true;
}
