/** A peer that comes as a Debian package: installed where that is possible, by the tests' own mechanism. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';
import { canInstall, install } from '../../../setup/debian.ts';

const execute = promisify(execFile);

export function debianPackage(name: string, program: string, versionArguments: string[], pattern: RegExp) {
  return {
    program,
    async ensure(): Promise<void> {
      if (existsSync(program)) return;
      if (!canInstall()) throw new Error(`${program} is missing (as root on Debian it is installed here)`);
      await install([name]);
    },
    async version(): Promise<string> {
      // Some print it on standard output, some on standard error.
      const { stdout, stderr } = await execute(program, versionArguments);
      return pattern.exec(stdout + stderr)?.[1] ?? 'of unknown version';
    },
  };
}
