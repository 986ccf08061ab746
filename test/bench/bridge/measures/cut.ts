/** The upstream's connection breaks mid-stream: whether the client can tell that from a whole answer. */
import type { Player } from '../stage.ts';
import { watch } from '../watch.ts';

/**
 * `error`: an event that says so. `broken`: the connection ends without HTTP's own end, which an HTTP library reports.
 * `silent`: a proper end without `[DONE]`, which most clients take for a whole answer. `whole`: even with `[DONE]`.
 * `hangs`: neither end nor error within the time.
 */
export type CutSeen = 'error' | 'broken' | 'silent' | 'whole' | 'hangs';

const TIMEOUT_MS = 3_000;

export async function cut(player: Player): Promise<CutSeen> {
  const started = Date.now();
  const seen = await watch(player, { tokens: 64, gapUs: 5_000, firstUs: 0, cutAfter: 16 }, TIMEOUT_MS);
  if (seen.text.includes('"error"')) return 'error';
  if (seen.done) return 'whole';
  if (seen.endedByHttp) return 'silent';
  return Date.now() - started >= TIMEOUT_MS ? 'hangs' : 'broken';
}
