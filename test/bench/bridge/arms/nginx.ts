/** Debian's nginx as people put it before a model server: no buffering, kept-alive connections on both sides. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BenchProcess } from '../process.ts';
import { freePort, type Arm } from './arm.ts';
import { debianPackage } from './debian-package.ts';

const NGINX = debianPackage('nginx', '/usr/sbin/nginx', ['-v'], /nginx\/([\d.]+)/);

const config = (folder: string, port: number, upstream: number) => `
daemon off;
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/error.log warn;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 4096; }
http {
  access_log ${folder}/access.log;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 1000000;
  upstream model {
    server 127.0.0.1:${upstream};
    keepalive 512;
    keepalive_requests 1000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=1024;
    client_max_body_size 8m;
    client_body_buffer_size 64k;
    location / {
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 1h;
    }
  }
}
`;

export const nginx: Arm = {
  name: 'nginx',
  ours: false,
  describe: async () =>
    `nginx ${await NGINX.version()} of Debian, one worker, \`proxy_buffering off\`, HTTP/1.1 with kept-alive connections, access log to a file`,
  prepare: async () => await NGINX.ensure(),
  async start({ upstreamPorts: [upstream = 0], folder }) {
    const port = await freePort();
    const file = join(folder, 'nginx.conf');
    await writeFile(file, config(folder, port, upstream));
    const server = new BenchProcess([NGINX.program, '-c', file, '-p', folder], join(folder, 'output.log'));
    await server.answersOn(port);
    return {
      port,
      headers: {},
      pids: () => server.pids,
      [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
    };
  },
};
