/** Writes a setting of Hearth where its present value stands, so that no other value outdoes the new one. */
import * as vscode from 'vscode';
import type { Settings } from './settings.ts';
import { effectiveTarget } from './setting-target.ts';

const TARGETS = {
  global: vscode.ConfigurationTarget.Global,
  workspace: vscode.ConfigurationTarget.Workspace,
  workspaceFolder: vscode.ConfigurationTarget.WorkspaceFolder,
};

/** For the document being edited, where the value is one of its language or folder. Rejects when the editor can't write. */
export async function writeSetting<Name extends keyof Settings>(
  name: Name,
  value: Settings[Name],
): Promise<void> {
  const values = vscode.workspace.getConfiguration('hearth', vscode.window.activeTextEditor?.document);
  const { scope, language } = effectiveTarget(
    values.inspect(name),
    vscode.workspace.workspaceFile !== undefined,
  );
  await values.update(name, value, TARGETS[scope], language);
}
