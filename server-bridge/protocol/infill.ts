/** llama.cpp's own infill request (its server's `/infill`), so that clients made for it work against every engine. */
import { z } from 'zod';

export const infillRequest = z.looseObject({
  model: z.string().optional(),
  input_prefix: z.string().default(''),
  input_suffix: z.string().default(''),
  /** The start of the cursor's line, where a client sends it apart: it belongs to the end of the prefix. */
  prompt: z.string().default(''),
  input_extra: z.array(z.looseObject({ filename: z.string().default('file'), text: z.string() })).default([]),
  /** −1 is no limit; 0 only warms the prefix cache. */
  n_predict: z.int().min(-1).nullish(),
  stream: z.boolean().nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_k: z.number().nullish(),
  top_p: z.number().nullish(),
  seed: z.int().nullish(),
});
export type InfillRequest = z.infer<typeof infillRequest>;
