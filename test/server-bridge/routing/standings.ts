/** Backends as routing sees them, for tests: written as in `hearth.yaml`, and well unless said otherwise. */
import { backendConfig } from '@hearth/protocol';
import type { z } from 'zod';
import { nextHealth, UNKNOWN } from '../../../server-bridge/src/routing/health.ts';
import { Standing } from '../../../server-bridge/src/routing/standing.ts';

export type Written = Partial<z.input<typeof backendConfig>> & { id: string };

/** Three bytes a token, unproven. */
export function standing(written: Written): Standing {
  const config = backendConfig.parse({
    engine: 'vllm',
    url: 'http://127.0.0.1:1',
    model: 'm',
    fim: 'qwen',
    ...written,
  });
  return new Standing(config, 3);
}

export function serving(written: Written): Standing {
  const one = standing(written);
  one.health = nextHealth(UNKNOWN, { kind: 'proved' }, 0, 0);
  return one;
}
