/** Whether an answer of some time ago still says who answers now. Pure. */
import type { ModelEntry } from '@hearth/protocol';
import type { Answered } from './standing.ts';

/** A newer list of models says otherwise: the first choice is back, or can't answer any more. A pinned backend has no state there. */
export function contradicts(models: ModelEntry[], answered: Answered): boolean {
  const model = models.find(({ id }) => id === answered.model);
  const pinned = answered.asked !== 'auto' && answered.asked !== answered.model;
  if (model === undefined || pinned) return false;
  return model.hearth.state !== (answered.fallback ? 'fallback' : 'ready');
}
