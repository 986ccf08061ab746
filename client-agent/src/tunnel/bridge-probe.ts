/** The `Probe` port: `GET /health` of the bridge through the tunnel, on a kept connection so that it times one trip. */
import type { AgentProfile } from '@hearth/protocol';
import type { Dispatcher } from 'undici';
import type { ProbeResult } from './ports.ts';

/** Milliseconds. A lost packet is sent again after one second, so two bear one loss. */
export const ANSWER_MS = 2_000;

export async function probeBridge(
  dispatcher: Dispatcher,
  profile: AgentProfile,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const { origin } = new URL(profile.bridge_url);
  const started = performance.now();
  try {
    const reply = await dispatcher.request({
      origin,
      path: '/health',
      method: 'GET',
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
    });
    const rttMs = Math.round((performance.now() - started) * 10) / 10;
    await reply.body.dump();
    if (reply.statusCode === 200) return { kind: 'answered', rttMs };
    return { kind: 'silent', reason: `HTTP ${reply.statusCode}` };
  } catch (error) {
    signal.throwIfAborted();
    return { kind: 'silent', reason: reasonOf(error) };
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  if (error.name === 'TimeoutError') return 'no answer in time';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
