/** One way from the client to the upstream. */
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';

/** What an arm is started with. */
interface ArmSetting {
  /** In order of preference; only the bridge uses more than the first. */
  upstreamPorts: number[];
  /** An empty folder of its own, removed afterwards. */
  folder: string;
}

export interface RunningArm extends AsyncDisposable {
  port: number;
  headers: Record<string, string>;
  /** Its own processes, looked up anew each time; none for `direct`. */
  pids: () => number[];
}

export interface Arm {
  name: string;
  /** What exactly was measured, as the results say it: version and the settings that matter. */
  describe: () => Promise<string>;
  /** Makes it ready, installing what is missing where that is possible. Throws with the reason in one line. */
  prepare: () => Promise<void>;
  /**
   * What this benchmark is for: given a second upstream too, to see what becomes of it when the first is killed, and
   * never left out. A run without it would only replace the results of one with it.
   */
  ours: boolean;
  start: (setting: ArmSetting) => Promise<RunningArm>;
}

/** For programs that can't be told to choose a port themselves. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
