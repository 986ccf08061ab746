/** Reads a file's numbers and texts in order, a megabyte at a time. Little-endian. */
import { readSync } from 'node:fs';

const WINDOW_BYTES = 1 << 20;
const LONGEST_TEXT = 1 << 16;

/** Every read throws an Error that says so where the file ends early. */
export class FileReader {
  position = 0;
  readonly #file: number;
  #window = Buffer.alloc(0);
  #windowStart = 0;

  constructor(file: number) {
    this.#file = file;
  }

  u32(): number {
    return this.#take(4).readUInt32LE();
  }

  u64(): number {
    const value = this.#take(8).readBigUInt64LE();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new Error(`a size of ${value} can't be.`);
    return Number(value);
  }

  count(most: number, what: string): number {
    const value = this.u64();
    if (value > most) throw new Error(`${value} ${what} can't be.`);
    return value;
  }

  text(): string {
    const length = this.u64();
    if (length > LONGEST_TEXT) throw new Error(`a name of ${length} bytes can't be.`);
    return this.#take(length).toString('utf8');
  }

  skip(bytes: number): void {
    this.position += bytes;
  }

  #take(bytes: number): Buffer {
    const from = this.position - this.#windowStart;
    if (from < 0 || from + bytes > this.#window.length) this.#refill(bytes);
    const start = this.position - this.#windowStart;
    this.position += bytes;
    return this.#window.subarray(start, start + bytes);
  }

  #refill(least: number): void {
    const window = Buffer.alloc(Math.max(WINDOW_BYTES, least));
    const got = readSync(this.#file, window, 0, window.length, this.position);
    if (got < least) throw new Error(`it ends in the middle of its header.`);
    this.#window = window.subarray(0, got);
    this.#windowStart = this.position;
  }
}
