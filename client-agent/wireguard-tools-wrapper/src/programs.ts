/** Where the programs are: an absolute path out of the system's own folders, whatever PATH says. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { WireguardError } from './errors.ts';

export type Program = 'ip' | 'wg' | 'wireguard-go';

const FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'];

const PACKAGE: Record<Program, string> = {
  ip: 'iproute2',
  wg: 'wireguard-tools',
  'wireguard-go': 'wireguard-go',
};

/** The absolute path of a program. Throws `program_missing` with the package that has it. */
export function findProgram(program: Program): string {
  for (const folder of FOLDERS) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder; the next may have it.
    }
  }
  throw new WireguardError(
    'program_missing',
    `The program ${program} is not installed; it is in the package ${PACKAGE[program]}.`,
    program,
  );
}
