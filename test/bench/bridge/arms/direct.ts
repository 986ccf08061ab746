/** No gateway: what the client, the upstream and the machine take by themselves. */
import type { Arm } from './arm.ts';

export const direct: Arm = {
  name: 'direct',
  ours: false,
  describe: async () => 'client to upstream, nothing between',
  prepare: async () => undefined,
  start: async ({ upstreamPorts: [port = 0] }) => ({
    port,
    headers: {},
    pids: () => [],
    [Symbol.asyncDispose]: async () => undefined,
  }),
};
