/** Parses what came over the wire, or says in one sentence which field is wrong and how. */
import type { z } from 'zod';
import { HearthError } from './errors.ts';

/** @throws HearthError `invalid_request`, with the first field at fault as `param` */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const reason = issue?.message ?? 'the body is not what this endpoint takes';
  const field = issue?.path.join('.') ?? '';
  if (field === '') throw new HearthError('invalid_request', `The body is wrong: ${reason}.`);
  throw new HearthError('invalid_request', `${field}: ${reason}.`, { param: field });
}
