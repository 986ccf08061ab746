/** From the configuration's `runner` to the runner itself: one line a kind. */
import type { RunnerConfig } from '@hearth/protocol';
import { DockerRunner } from './docker.ts';
import { NO_RUNNER } from './none.ts';
import { ProcessRunner } from './process.ts';
import type { Runner, RunnerOptions } from './runner.ts';
import { SystemdRunner } from './systemd.ts';

export function makeRunner(config: RunnerConfig, options: RunnerOptions): Runner {
  switch (config.kind) {
    case 'none':
      return NO_RUNNER;
    case 'process':
      return new ProcessRunner(config.command, options);
    case 'systemd':
      return new SystemdRunner(config.unit);
    case 'docker':
      return new DockerRunner(config.container);
  }
}
