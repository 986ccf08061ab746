/** The engines by the name that the configuration has for them. A new one is a file beside this, and a line here. */
import type { BackendConfig } from '@hearth/protocol';
import { embedded } from './embedded.ts';
import type { Engine } from './engine.ts';
import { llamacpp } from './llamacpp.ts';
import { openai } from './openai.ts';
import { trtllm } from './trtllm.ts';
import { vllm } from './vllm.ts';

export const ENGINES: Readonly<Record<BackendConfig['engine'], Engine>> = {
  vllm,
  llamacpp,
  trtllm,
  openai,
  embedded,
};
