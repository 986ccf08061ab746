/** The client agent's local API, its profile file, and the problems it can name. */
import { z } from 'zod';
import { secret } from './secret.ts';

export const agentState = z.enum([
  'unenrolled',
  'disconnected',
  'connecting',
  'connected',
  'degraded',
  'reconnecting',
  'revoked',
]);
export type AgentState = z.infer<typeof agentState>;

/** What is wrong, for a program (`code`) and for a person (`message`, and `fix`: what to do about it). */
export const problem = z.object({ code: z.string(), message: z.string(), fix: z.string() });
export type Problem = z.infer<typeof problem>;

export const agentStatus = z.object({
  state: agentState,
  /** When it entered this state, ISO 8601. */
  since: z.iso.datetime(),
  /** The WireGuard endpoint, host:port. */
  server: z.string().nullable(),
  /** This device's address inside the tunnel. */
  address: z.string().nullable(),
  handshake_age_s: z.number().nullable(),
  rx_bytes: z.int(),
  tx_bytes: z.int(),
  rtt_ms: z.number().nullable(),
  bridge_url: z.string().nullable(),
  problem: problem.optional(),
});
export type AgentStatus = z.infer<typeof agentStatus>;

/** Reply of `GET /v1/token`: what the editor calls the bridge with. */
export const agentToken = z.object({ token: z.string(), expires_at: z.iso.datetime(), bridge_url: z.url() });
export type AgentToken = z.infer<typeof agentToken>;

const wireguardKey = z
  .string()
  .regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, 'a WireGuard key is 32 bytes in base64');

/** The profile file (mode 0600) that holds what enrolment will put in the keychain. */
export const agentProfile = z.strictObject({
  interface: z
    .string()
    .regex(/^[a-zA-Z0-9_-]{1,15}$/)
    .default('hearth0'),
  private_key: wireguardKey.pipe(secret),
  /** With prefix length, e.g. 10.77.0.2/32. */
  address: z.cidrv4(),
  server_public_key: wireguardKey,
  preshared_key: wireguardKey.pipe(secret).optional(),
  endpoint: z.string().regex(/^.+:\d{1,5}$/, 'host:port'),
  allowed_ips: z.array(z.cidrv4()).min(1),
  bridge_url: z.url({ protocol: /^https?$/ }),
  api_key: secret,
});
export type AgentProfile = z.infer<typeof agentProfile>;
