/** Debian's packages that the tests use, and their installation where that is possible: on Debian, as root. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

/** A package, and a file that shows it is there. */
const PACKAGES: Record<string, string> = {
  chromium: '/usr/bin/chromium',
  curl: '/usr/bin/curl',
  'fonts-dejavu-core': '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf',
  'g++': '/usr/bin/g++',
  iproute2: '/usr/sbin/ip',
  'iputils-ping': '/usr/bin/ping',
  'libkrb5-dev': '/usr/include/krb5.h',
  'libsecret-1-dev': '/usr/include/libsecret-1/libsecret/secret.h',
  make: '/usr/bin/make',
  nftables: '/usr/sbin/nft',
  'pkg-config': '/usr/bin/pkg-config',
  python3: '/usr/bin/python3',
  'wireguard-go': '/usr/bin/wireguard-go',
  'wireguard-tools': '/usr/bin/wg',
};

export function missingPackages(): string[] {
  return Object.entries(PACKAGES).flatMap(([name, file]) =>
    existsSync(file) || existsSync(file.replace('/usr/', '/')) ? [] : [name],
  );
}

export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

/** Throws with apt's exit code when it fails; what apt says goes to our standard error. */
export async function install(packages: string[]): Promise<void> {
  await apt('update', '-q');
  await apt('install', '-q', '-y', '--no-install-recommends', ...packages);
}

async function apt(...args: string[]): Promise<void> {
  const child = spawn('/usr/bin/apt-get', args, {
    // Runlevel 1: a package that brings a service doesn't start it.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`apt-get ${args[0]} ended with ${code}`);
}
