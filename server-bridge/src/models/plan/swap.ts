/** What it costs to put one model in another's place on a card, and who answers in between. Pure. */
import type { ModelConfig } from '@hearth/protocol';
import type { Planned } from './backend-plan.ts';

export interface Swap {
  card: string;
  from: string;
  to: string;
  /** Bytes read from storage. */
  bytes: number;
  read_seconds: number;
  warm_up_seconds: number;
  /** Both at once on the card: the new one loads while the old one answers. */
  overlapped: boolean;
  /** Seconds during which neither answers; 0 when they overlap. */
  gap_seconds: number;
  /** Of each model concerned: its backends on other cards, which answer in the gap. */
  cover: { model: string; by: string[] }[];
}

/** Each ordered pair of a card's backends. `together` says whether two fit at once. */
export function swapsOn(
  card: string,
  backends: readonly Planned[],
  models: readonly ModelConfig[],
  together: (a: string, b: string) => boolean,
): Swap[] {
  const here = new Set(backends.map((backend) => backend.backend));
  return backends.flatMap((from) =>
    backends
      .filter((to) => to !== from)
      .map((to) => {
        const overlapped = together(from.backend, to.backend);
        const concerned = models.filter(
          (model) => model.backends.includes(from.backend) || model.backends.includes(to.backend),
        );
        return {
          card,
          from: from.backend,
          to: to.backend,
          bytes: to.load.bytes,
          read_seconds: to.load.read_seconds,
          warm_up_seconds: to.load.warm_up_seconds,
          overlapped,
          gap_seconds: overlapped ? 0 : to.load.seconds,
          cover: concerned.map((model) => ({
            model: model.id,
            by: model.backends.filter((id) => !here.has(id)),
          })),
        };
      }),
  );
}
