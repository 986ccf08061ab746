/** Loaded ahead of a server that can't be told where to listen: what names no address gets loopback, not every interface. */
import { Server } from 'node:net';

// eslint-disable-next-line typescript/unbound-method -- called with its own `this` below
const listen = Server.prototype.listen as (this: Server, ...args: unknown[]) => Server;

Server.prototype.listen = function listenOnLoopback(this: Server, ...args: unknown[]): Server {
  const [port, host, ...rest] = args;
  if (typeof port === 'number' && typeof host !== 'string')
    return listen.call(this, port, '127.0.0.1', ...rest);
  return listen.apply(this, args);
};
