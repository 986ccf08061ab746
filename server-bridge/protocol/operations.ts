/** Live operations on a running bridge: what they take, what they tell on their way, and how they show in the status. */
import { z } from 'zod';
import { configId } from './config.ts';

/** The steps of a swap that people see; `swap` is the whole of it and always comes last. */
const swapStep = z.enum(['start', 'ready', 'canary', 'shift', 'drain', 'stop', 'resume', 'swap']);
export type SwapStep = z.infer<typeof swapStep>;

/** One line of a swap's story. The last has the step `swap` and is `done` or `failed`. */
export const swapProgress = z.object({
  step: swapStep,
  /** `warning`: it went wrong, and the swap goes on without it. */
  state: z.enum(['running', 'done', 'failed', 'warning']),
  /** In words for a person. */
  detail: z.string(),
});
export type SwapProgress = z.infer<typeof swapProgress>;

/** A swap under way, in the status document. */
export const swapStatus = z.object({
  model: z.string(),
  from: z.string(),
  to: z.string(),
  since: z.iso.datetime(),
  step: swapStep,
  detail: z.string(),
  /** It failed, and what it has done so far is being undone. */
  undoing: z.boolean(),
  /**
   * While the old backend is gone and the new one isn't there yet: who answers meanwhile. `nobody` is honest where the
   * model has no other backend; null while there is no gap.
   */
  gap: z
    .discriminatedUnion('kind', [
      z.object({ kind: z.literal('covered'), by: z.string() }),
      z.object({ kind: z.literal('nobody') }),
    ])
    .nullable(),
});
export type SwapStatus = z.infer<typeof swapStatus>;

/** How a drain stands. The stream of these ends after the first with nothing in flight and nothing queued. */
export const drainProgress = z.object({ in_flight: z.int(), queued: z.int() });
export type DrainProgress = z.infer<typeof drainProgress>;

/** `/hearth/v1/backends/:id/…` and `/hearth/v1/models/:id/…` */
export const operationTarget = z.object({ id: configId });

/** Body of `POST /hearth/v1/models/:id/swap`. */
export const swapRequest = z.object({ to: configId });

/** Reply of `POST /hearth/v1/backends/:id/resume`. */
export const resumeReply = z.object({ id: z.string(), resumed: z.literal(true) });
export type ResumeReply = z.infer<typeof resumeReply>;
