/** Starts and stops a model server in a container that exists already. Its restarts are Docker's; it outlives the bridge. */
import type { Runner, RunnerState } from './runner.ts';
import { mustSucceed, systemCommand, type CommandResult } from './system-command.ts';

const FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin'];

export class DockerRunner implements Runner {
  readonly #container: string;
  readonly #folders: readonly string[];

  /** The configuration's schema has seen to it that the container's name can't be taken for an option. */
  constructor(container: string, folders: readonly string[] = FOLDERS) {
    this.#container = container;
    this.#folders = folders;
  }

  async start(signal: AbortSignal): Promise<void> {
    mustSucceed(`docker start ${this.#container}`, await this.#docker(['start'], signal));
  }

  async stop(signal: AbortSignal): Promise<void> {
    mustSucceed(`docker stop ${this.#container}`, await this.#docker(['stop'], signal));
  }

  async running(signal: AbortSignal): Promise<RunnerState> {
    const { code, stdout } = await this.#docker(['inspect', '--format', '{{.State.Running}}'], signal);
    if (code !== 0) return 'unknown';
    return stdout.trim() === 'true' ? 'yes' : 'no';
  }

  answered(): void {}

  async close(): Promise<void> {}

  async #docker(args: string[], signal: AbortSignal): Promise<CommandResult> {
    return await systemCommand('docker', [...args, this.#container], this.#folders, signal);
  }
}
