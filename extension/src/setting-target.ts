/** Where a setting has to be written so that the change counts: where its present value comes from. Pure. */

/** What the editor's `inspect` tells of a setting: a value is undefined where none is set. */
type Inspected = {
  workspaceValue?: unknown;
  workspaceFolderValue?: unknown;
  globalLanguageValue?: unknown;
  workspaceLanguageValue?: unknown;
  workspaceFolderLanguageValue?: unknown;
};

type SettingTarget = { scope: 'global' | 'workspace' | 'workspaceFolder'; language: boolean };

/**
 * In the order in which the editor lets one outdo the other; the user's settings when none is set. `multiRoot`: the
 * workspace has a file of its own. In a single folder the folder's values are the workspace's, under both names, and
 * the editor writes them only as the latter.
 */
export function effectiveTarget(inspected: Inspected | undefined, multiRoot: boolean): SettingTarget {
  const folder = multiRoot ? 'workspaceFolder' : 'workspace';
  if (inspected?.workspaceFolderLanguageValue !== undefined) return { scope: folder, language: true };
  if (inspected?.workspaceLanguageValue !== undefined) return { scope: 'workspace', language: true };
  if (inspected?.globalLanguageValue !== undefined) return { scope: 'global', language: true };
  if (inspected?.workspaceFolderValue !== undefined) return { scope: folder, language: false };
  if (inspected?.workspaceValue !== undefined) return { scope: 'workspace', language: false };
  return { scope: 'global', language: false };
}
