/** Debian's HAProxy as people put it before a model server: one thread, connections reused, clients that leave noticed. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BenchProcess } from '../process.ts';
import { freePort, type Arm } from './arm.ts';
import { debianPackage } from './debian-package.ts';

const HAPROXY = debianPackage('haproxy', '/usr/sbin/haproxy', ['-v'], /version ([\d.]+)/);

const config = (port: number, upstream: number) => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  option http-no-delay
  option abortonclose
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend api
  bind 127.0.0.1:${port}
  default_backend model
backend model
  server first 127.0.0.1:${upstream}
`;

export const haproxy: Arm = {
  name: 'haproxy',
  ours: false,
  describe: async () =>
    `HAProxy ${await HAPROXY.version()} of Debian, one thread, \`option abortonclose\`, \`option http-no-delay\`, \`http-reuse always\`, no log`,
  prepare: async () => await HAPROXY.ensure(),
  async start({ upstreamPorts: [upstream = 0], folder }) {
    const port = await freePort();
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, config(port, upstream));
    const server = new BenchProcess([HAPROXY.program, '-db', '-f', file], join(folder, 'output.log'));
    await server.answersOn(port);
    return {
      port,
      headers: {},
      pids: () => server.pids,
      [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
    };
  },
};
