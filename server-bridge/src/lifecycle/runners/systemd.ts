/** Starts and stops a model server that is a systemd unit. Its restarts are systemd's, and it outlives the bridge. */
import type { Runner, RunnerState } from './runner.ts';
import { mustSucceed, systemCommand, type CommandResult } from './system-command.ts';

const FOLDERS = ['/usr/bin', '/bin'];

export class SystemdRunner implements Runner {
  readonly #unit: string;
  readonly #folders: readonly string[];

  /** The configuration's schema has seen to it that the unit's name can't be taken for an option. */
  constructor(unit: string, folders: readonly string[] = FOLDERS) {
    this.#unit = unit;
    this.#folders = folders;
  }

  async start(signal: AbortSignal): Promise<void> {
    mustSucceed(`systemctl start ${this.#unit}`, await this.#systemctl('start', signal));
  }

  async stop(signal: AbortSignal): Promise<void> {
    mustSucceed(`systemctl stop ${this.#unit}`, await this.#systemctl('stop', signal));
  }

  async running(signal: AbortSignal): Promise<RunnerState> {
    // Its exit code only tells active from everything else.
    const { stdout } = await this.#systemctl('is-active', signal);
    switch (stdout.trim()) {
      case 'active':
      case 'activating':
      case 'reloading':
        return 'yes';
      case 'inactive':
      case 'failed':
      case 'deactivating':
        return 'no';
      default:
        return 'unknown';
    }
  }

  answered(): void {}

  async close(): Promise<void> {}

  async #systemctl(verb: 'start' | 'stop' | 'is-active', signal: AbortSignal): Promise<CommandResult> {
    // Without the option a missing right would be asked for on a terminal that nobody sits at.
    return await systemCommand('systemctl', ['--no-ask-password', verb, this.#unit], this.#folders, signal);
  }
}
