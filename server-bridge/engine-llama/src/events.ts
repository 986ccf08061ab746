/** What the engine tells whoever started it: JSON lines on stdout (`--json`), or words for a person. */
import { z } from 'zod';

export const engineEvent = z.discriminatedUnion('event', [
  z.object({
    event: z.literal('progress'),
    phase: z.enum(['download', 'load']),
    /** 0 to 1. */
    fraction: z.number().min(0).max(1),
    message: z.string(),
  }),
  z.object({ event: z.literal('notice'), message: z.string() }),
  z.object({
    event: z.literal('ready'),
    url: z.string(),
    model: z.string(),
    /** Tokens a sequence holds. */
    context: z.int(),
    parallel: z.int(),
    /** UTF-8 bytes of code that one token stands for, measured: what fits can be judged without a tokenizer. */
    bytes_per_token: z.number().positive(),
  }),
  z.object({ event: z.literal('failed'), message: z.string() }),
]);
export type EngineEvent = z.infer<typeof engineEvent>;

export type Announce = (event: EngineEvent) => void;

/** Both streams as far as they are used here. */
interface Output {
  readonly stdout: Pick<NodeJS.WriteStream, 'write'>;
  readonly stderr: Pick<NodeJS.WriteStream, 'write' | 'isTTY'>;
}

export function announceTo({ stdout, stderr }: Output, json: boolean): Announce {
  return (event) => {
    if (json) stdout.write(`${JSON.stringify(event)}\n`);
    if (event.event === 'progress') {
      if (!json && stderr.isTTY) stderr.write(`\r${event.message} ${Math.floor(event.fraction * 100)} % `);
    } else if (event.event === 'ready') {
      if (!json) stdout.write(`${event.model} answers on ${event.url} (context ${event.context}).\n`);
    } else {
      stderr.write(`${event.message}\n`);
    }
  };
}
