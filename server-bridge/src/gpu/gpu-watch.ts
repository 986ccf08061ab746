/**
 * Looks at the configured cards every few seconds, judges how hot they are, and tells routing and the status.
 *
 * A card that was never seen isn't watched, and counts as well: a bridge beside no card, or with a wrong name for one,
 * works as before. One that was seen and is gone is lost.
 */
import { isDeepStrictEqual } from 'node:util';
import type { GpuConfig, GpuStatus } from '@hearth/protocol';
import type { Logger } from 'pino';
import type { Heat } from '../routing/standing.ts';
import { afterLoss, afterReading, COOL, staleHeat, staleness, type HeatState } from './heat.ts';
import type { GpuReading, GpuSources, Look } from './reading.ts';
import { shown, type Known } from './shown.ts';

export interface GpuWatchOptions {
  log: Logger;
  sources: GpuSources;
  /** Milliseconds between two looks. */
  interval: number;
  /** Milliseconds on a monotonic clock. */
  now: () => number;
  /** After each look at a card; also at once for every card of another configuration. Undefined: it was never read. */
  onReading: (gpu: string, reading: GpuReading | undefined, heat: Heat) => void;
  /** The status of a card has changed noticeably. */
  onChange: () => void;
}

interface Watched {
  gpu: GpuConfig;
  state: HeatState;
  last: { reading: GpuReading; at: number } | undefined;
  /** When its heat was last found to be so, by a reading or its loss. */
  heatAt: number;
  /** Why there is no reading, or none newer than the last. */
  silence: string;
  /** Whether it has been said in the log that it isn't watched. */
  toldUnwatched: boolean;
  heat: Heat;
  shown: GpuStatus | undefined;
}

export class GpuWatch {
  readonly #options: GpuWatchOptions;
  #watched: Watched[] = [];
  #rounds: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: GpuWatchOptions) {
    this.#options = options;
  }

  /** Watches these cards from now on and no others. Resolves when each of them has been looked at. */
  async watch(gpus: readonly GpuConfig[]): Promise<void> {
    this.#watched = gpus.map((gpu) => {
      const same = this.#watched.find((one) => isDeepStrictEqual(nameOf(one.gpu), nameOf(gpu)));
      return same === undefined ? begin(gpu) : { ...same, gpu };
    });
    for (const one of this.#watched) {
      this.#show(one, this.#options.now());
      this.#options.onReading(one.gpu.id, one.last?.reading, one.heat);
    }
    await this.#look();
  }

  /** In the order of the configuration. */
  status(): GpuStatus[] {
    return this.#watched.map((one) => one.shown).filter((entry) => entry !== undefined);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const source of Object.values(this.#options.sources)) source.close();
  }

  /** One round after the other, whoever asks for it. */
  async #look(): Promise<void> {
    clearTimeout(this.#timer);
    this.#rounds = this.#rounds.then(async () => await this.#round());
    await this.#rounds;
  }

  async #round(): Promise<void> {
    const { log, sources, interval } = this.#options;
    if (this.#closed) return;
    const vendors = Object.keys(sources) as GpuConfig['vendor'][];
    try {
      await Promise.all(vendors.map(async (vendor) => await this.#lookAt(vendor)));
    } catch (error) {
      // Of our own making: the cards aren't to blame, and the watch goes on.
      log.error({ err: error }, 'looking at the GPUs failed');
    }
    clearTimeout(this.#timer);
    if (this.#closed || this.#watched.length === 0) return;
    this.#timer = setTimeout(() => void this.#look(), interval);
  }

  async #lookAt(vendor: GpuConfig['vendor']): Promise<void> {
    const those = this.#watched.filter(({ gpu }) => gpu.vendor === vendor);
    if (those.length === 0) return;
    const looks = await this.#options.sources[vendor].look(those.map(({ gpu }) => gpu));
    if (this.#closed) return;
    const now = this.#options.now();
    those.forEach((one, index) => {
      const look = looks[index];
      // Another configuration may be in force by now; its own round follows.
      if (look !== undefined && this.#watched.includes(one)) this.#learn(one, look, now);
    });
  }

  #learn(one: Watched, look: Look, now: number): void {
    const { gpu } = one;
    const before = one.heat;
    const wasWatched = isWatched(one);
    if (look.kind === 'read') {
      one.state = afterReading(gpu, one.state, look.reading, now);
      one.last = { reading: look.reading, at: now };
      one.heatAt = now;
    } else {
      one.silence = look.reason;
      if (look.kind === 'lost' || (look.kind === 'absent' && one.last !== undefined)) {
        one.state = afterLoss(gpu, one.state, look.reason);
        one.heatAt = now;
      }
    }
    this.#show(one, now);
    this.#tell(one, before, wasWatched);
    this.#options.onReading(gpu.id, one.last?.reading, one.heat);
  }

  #show(one: Watched, now: number): void {
    const staleS = one.last === undefined ? 0 : staleness(now - one.last.at);
    const { gpu, state, last, heatAt, silence } = one;
    one.heat = staleHeat(state.heat, staleness(now - heatAt), silence);
    const known: Known = isWatched(one)
      ? { kind: 'watched', heat: one.heat, reading: last?.reading, staleS, silence }
      : { kind: 'unwatched', reason: silence };
    const entry = shown(gpu, known, one.shown);
    if (entry === one.shown) return;
    one.shown = entry;
    this.#options.onChange();
  }

  /** In the log: that a card isn't watched, once, and each change of its level. */
  #tell(one: Watched, before: Heat, wasWatched: boolean): void {
    const { log } = this.#options;
    const { gpu, heat, silence } = one;
    if (!isWatched(one)) {
      if (!one.toldUnwatched) log.info({ gpu: gpu.id, reason: silence }, 'gpu not watched');
      one.toldUnwatched = true;
      return;
    }
    if (!wasWatched && one.toldUnwatched) log.info({ gpu: gpu.id }, 'gpu watched now');
    if (heat.level === before.level) return;
    if (heat.level === 'ok') log.info({ gpu: gpu.id, heat: heat.level }, 'gpu heat');
    else log.warn({ gpu: gpu.id, heat: heat.level, reason: heat.words }, 'gpu heat');
  }
}

function begin(gpu: GpuConfig): Watched {
  return {
    gpu,
    state: COOL,
    last: undefined,
    heatAt: 0,
    silence: 'it has not been looked at yet',
    toldUnwatched: false,
    heat: COOL.heat,
    shown: undefined,
  };
}

/** It was seen, or is known to be in trouble. */
function isWatched({ last, state }: Watched): boolean {
  return last !== undefined || state.heat.level !== 'ok';
}

/** What makes it that card; its limits may change. */
function nameOf({ id, vendor, uuid, pci }: GpuConfig) {
  return { id, vendor, uuid, pci };
}
