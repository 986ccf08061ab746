/** Which documents get completions, and what of a document's path goes to the bridge. Pure. */

/** URI schemes: files here and on remotes, notebook cells, files not saved yet. */
export const SCHEMES = ['file', 'untitled', 'vscode-remote', 'vscode-vfs', 'vscode-notebook-cell'];

/**
 * `relative`: the path inside the workspace, where the document is in it. Of any other only the name is said, since
 * its folders hold the user's name and other things of nobody's concern.
 */
export function sentPath(path: string, relative: string | undefined): string {
  return relative ?? path.slice(path.lastIndexOf('/') + 1);
}
