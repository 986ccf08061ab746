/** The folder for what must survive a restart; made private, and named when it can't be used. */
import { mkdirSync } from 'node:fs';

/** The message is for whoever runs the bridge: it names the folder and what the system says. */
export class StateUnusable extends Error {
  constructor(directory: string, cause: unknown) {
    super(`state_dir ${directory} can't be used: ${(cause as Error).message}`, { cause });
    this.name = 'StateUnusable';
  }
}

/** Makes sure that the folder is there and opens something in it. @throws StateUnusable */
export function inState<Opened>(directory: string, open: () => Opened): Opened {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return open();
  } catch (error) {
    throw new StateUnusable(directory, error);
  }
}
