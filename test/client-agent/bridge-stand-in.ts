/** Run inside the server namespace: the two routes of the bridge that the agent itself calls, on HOST PORT for KEY. */
import { createServer } from 'node:http';

const [host = '', port = '', key = ''] = process.argv.slice(2);

const server = createServer((request, response) => {
  const reply = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  if (request.url === '/health') reply(200, { status: 'ok' });
  else if (request.method !== 'POST' || request.url !== '/hearth/v1/token') reply(404, {});
  else if (request.headers.authorization !== `Bearer ${key}`) reply(401, {});
  else reply(200, { token: 'short-lived', expires_at: new Date(Date.now() + 900_000).toISOString() });
});
server.listen(Number(port), host, () => console.log('listening'));
