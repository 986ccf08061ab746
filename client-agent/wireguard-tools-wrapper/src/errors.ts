/** What can go wrong with an interface, as codes to act on; no message ever carries a key. */

export type WireguardErrorCode =
  /** `ip`, `wg` or `wireguard-go` is not installed. */
  | 'program_missing'
  /** The process may not make network interfaces (CAP_NET_ADMIN). */
  | 'not_permitted'
  /** An interface of that name is there already. */
  | 'interface_exists'
  /** Another interface already has a route to one of the allowed addresses. */
  | 'route_exists'
  /** The endpoint's name has no address right now. */
  | 'endpoint_unresolved'
  /** A program did not finish, or wireguard-go did not answer, in time. */
  | 'timeout'
  /** A program failed in another way; the message has what it said. */
  | 'command_failed';

/** A failure with a code. `program` is the bare name of what failed, where one did. */
export class WireguardError extends Error {
  readonly code: WireguardErrorCode;
  readonly program: string | undefined;

  constructor(code: WireguardErrorCode, message: string, program?: string) {
    super(message);
    this.name = 'WireguardError';
    this.code = code;
    this.program = program;
  }
}

const KEY_BASE64 = /[A-Za-z0-9+/]{42,43}=/g;
const KEY_HEX = /\b[0-9a-f]{64}\b/gi;
/** What a program said, on one line and fit for a log: anything shaped like a key is gone. */
export function scrub(text: string): string {
  return text.replace(KEY_BASE64, '***').replace(KEY_HEX, '***').replace(/\s+/g, ' ').trim().slice(0, 500);
}

const SAID: readonly (readonly [RegExp, WireguardErrorCode])[] = [
  [/operation not permitted|permission denied/i, 'not_permitted'],
  [
    /name or service not known|temporary failure in name resolution|no address associated/i,
    'endpoint_unresolved',
  ],
];

/** The error for a program that ended badly, from what it wrote on stderr (in the C locale). */
export function failureOf(program: string, stderr: string): WireguardError {
  const said = scrub(stderr);
  const code = SAID.find(([pattern]) => pattern.test(said))?.[1] ?? 'command_failed';
  return new WireguardError(code, `${program} failed: ${said === '' ? 'it said nothing' : said}`, program);
}
