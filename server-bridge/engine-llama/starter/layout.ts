/**
 * Where things stand in the starter's residual stream, and how large they are there.
 *
 * Q8_0 shares one scale among 32 dimensions, so everything of one size has blocks of its own, and the large
 * constant above all. The constant makes every root mean square the same: RMSNorm then only divides by `NORM`.
 */
import { CODE_SIZE } from './byte-code.ts';

/** How many bytes before the next one the model looks at. */
export const WINDOW = 20;

const BLOCK = 32;
const FLAGS = 2 * WINDOW * CODE_SIZE + BLOCK;

/** Bytes of the window: at offset i (0 is the latest token) from `window(i)` on; offset WINDOW is a spare one. */
export function window(offset: number): number {
  return offset * CODE_SIZE;
}

/** Bytes before `<|fim_suffix|>`, fetched from there: the k-th last byte of the prefix, k from 1 to WINDOW. */
export function prefixEnd(k: number): number {
  return WINDOW * CODE_SIZE + BLOCK + (k - 1) * CODE_SIZE;
}

/** 1 if the token at that offset is `<|fim_middle|>`; offsets 0 to WINDOW. */
export function middleFlag(offset: number): number {
  return FLAGS + offset;
}

/** 1 on `<|fim_suffix|>`. */
export const SUFFIX_FLAG = FLAGS + WINDOW + 1;
/** The code of the next byte, or nothing. */
export const OUTPUT = SUFFIX_FLAG + 1;
/** The constant. */
export const CONSTANT = FLAGS + BLOCK;

export const HEAD_SIZE = 16;
export const WIDTH = CONSTANT + BLOCK;
export const HEADS = WIDTH / HEAD_SIZE;
/** Two query heads share one key/value head. */
export const KV_HEADS = HEADS / 2;

/** RMSNorm divides by this. A power of two keeps the codes' arithmetic exact. */
export const NORM = 32;
/** A one in the residual, as Q8_0 can hold it exactly. */
export const ONE = 127 / 128;
/** √WIDTH · NORM, rounded to what Q8_0 can hold. */
export const CONSTANT_VALUE = (127 * Math.round((Math.sqrt(WIDTH) * NORM * 256) / 127)) / 256;
