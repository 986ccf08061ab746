/** Where models are kept: `$XDG_CACHE_HOME/hearth/models`, in `~/.cache` where that isn't set. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export function modelFolder(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'hearth', 'models');
}
