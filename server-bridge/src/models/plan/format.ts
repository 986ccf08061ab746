/** Numbers as the plan's text shows them: grouped digits, GiB for memory, GB for files. Pure. */
import { GB, GIB } from './assumptions.ts';

/** A whole number with grouped digits. */
export const count = (value: number) =>
  Math.round(value)
    .toString()
    .replaceAll(/\B(?=(\d{3})+$)/g, ',');

export const gib = (bytes: number) => `${(bytes / GIB).toFixed(2)} GiB`;

export const gb = (bytes: number) => `${(bytes / GB).toFixed(bytes < 10 * GB ? 2 : 1)} GB`;

export const kib = (bytes: number) => `${trimmed(bytes / 1_024)} KiB`;

export const billions = (parameters: number) => `${(parameters / 1e9).toFixed(2)} B`;

export const trimmed = (value: number) => String(Number(value.toFixed(4)));
