/** The runner of a server that somebody else starts and stops: it does nothing, and says so when asked to. */
import type { Runner } from './runner.ts';

export const NO_RUNNER: Runner = {
  start: async () => {
    throw new Error('it has no runner, so it is not the bridge that starts it');
  },
  stop: async () => {
    throw new Error('it has no runner, so it is not the bridge that stops it');
  },
  running: async () => 'unknown',
  answered: () => {},
  close: async () => {},
};
