/** Every error code that leaves Hearth, with its HTTP status, and the one error class that carries them. */
import { z } from 'zod';

/** Code → HTTP status. The table in server-bridge/README.md; a test holds the two together. */
export const ERROR_STATUS = {
  invalid_request: 400,
  invalid_api_key: 401,
  forbidden: 403,
  not_found: 404,
  model_not_found: 404,
  busy: 409,
  not_enrolled: 409,
  superseded: 409,
  body_too_large: 413,
  context_too_long: 413,
  rate_limited: 429,
  internal: 500,
  backend_lost: 502,
  audit_unavailable: 503,
  draining: 503,
  no_backend: 503,
  not_connected: 503,
  queue_full: 503,
  backend_timeout: 504,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export const errorCode = z.enum(Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]]);

/** The body of every error reply, and of the last event of a stream that failed after its first byte. */
export const errorEnvelope = z.object({
  error: z.object({
    message: z.string(),
    type: z.string(),
    code: z.string().nullable(),
    param: z.string().nullable(),
    source: z.enum(['bridge', 'backend']),
    request_id: z.string(),
  }),
});
export type ErrorEnvelope = z.infer<typeof errorEnvelope>;

/** OpenAI's `type` for a status, which its clients branch on. */
export function errorType(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status < 500 ? 'invalid_request_error' : 'server_error';
}

/** A fault with a code that callers and people can act on. The message is written for the person who reads it. */
export class HearthError extends Error {
  readonly code: ErrorCode;
  /** The request field at fault, where there is one. */
  readonly param: string | null;
  /** Seconds after which a retry makes sense, where that is known. */
  readonly retryAfterS: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { param?: string; retryAfterS?: number; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HearthError';
    this.code = code;
    this.param = options.param ?? null;
    this.retryAfterS = options.retryAfterS;
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }
}

/** The envelope for an error. Anything that is not a HearthError becomes `internal` and tells nothing. */
export function toEnvelope(error: unknown, requestId: string): { status: number; body: ErrorEnvelope } {
  const known =
    error instanceof HearthError
      ? error
      : new HearthError(
          'internal',
          'Something failed inside the server; its log has the details under this request id.',
        );
  return {
    status: known.status,
    body: {
      error: {
        message: known.message,
        type: errorType(known.status),
        code: known.code,
        param: known.param,
        source: known.code === 'backend_lost' || known.code === 'backend_timeout' ? 'backend' : 'bridge',
        request_id: requestId,
      },
    },
  };
}
