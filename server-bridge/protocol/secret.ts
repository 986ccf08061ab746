/** A value that must not be printed: it shows as `***` wherever it is logged, joined, or serialised. */
import { z } from 'zod';

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Every call of this is a place to look at in review. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '***';
  }

  toJSON(): string {
    return '***';
  }

  /** What `console.log` and `util.inspect` print. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return 'Secret(***)';
  }
}

/** Parses a string into a Secret at the edge. */
export const secret = z
  .string()
  .min(1)
  .transform((value) => new Secret(value));
