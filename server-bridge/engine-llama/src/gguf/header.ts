/** Looks through a GGUF's header before llama.cpp does: that one aborts the process on some broken files. */
import { closeSync, fstatSync, openSync } from 'node:fs';
import { FileReader } from './file-reader.ts';
import { tensorBytes } from './tensor-bytes.ts';

export type GgufCheck = { kind: 'whole'; tensors: number } | { kind: 'broken'; message: string };

const MAGIC = 0x46554747;
const DEFAULT_ALIGNMENT = 32;
/** Real models have a few thousand at most; more means that what was read is no count. */
const MOST_ENTRIES = 1_000_000;

/** @throws nothing for what is in the file; a file that can't be opened or read is `broken` too. */
export function checkGguf(path: string): GgufCheck {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    return broken(`${path} can't be opened: ${(error as Error).message}`);
  }
  try {
    return check(path, new FileReader(file), fstatSync(file).size);
  } catch (error) {
    return broken(`${path} is no usable GGUF: ${(error as Error).message}`);
  } finally {
    closeSync(file);
  }
}

function check(path: string, reader: FileReader, size: number): GgufCheck {
  if (reader.u32() !== MAGIC) return broken(`${path} is no GGUF file: it doesn't begin with "GGUF".`);
  const version = reader.u32();
  if (version !== 2 && version !== 3)
    return broken(`${path} is GGUF version ${version}; 2 and 3 can be read.`);
  const tensors = reader.count(MOST_ENTRIES, 'tensors');
  const entries = reader.count(MOST_ENTRIES, 'metadata entries');
  let alignment = DEFAULT_ALIGNMENT;
  let architecture = false;
  for (let i = 0; i < entries; i += 1) {
    const key = reader.text();
    const type = reader.u32();
    architecture ||= key === 'general.architecture';
    if (key === 'general.alignment' && type === U32) alignment = reader.u32() || DEFAULT_ALIGNMENT;
    else skipValue(reader, type);
  }
  if (!architecture || tensors === 0)
    return broken(`${path} holds no model: it lacks an architecture or tensors.`);

  let needed = 0;
  for (let i = 0; i < tensors; i += 1) needed = Math.max(needed, tensorEnd(reader));
  const expected = Math.ceil(reader.position / alignment) * alignment + needed;
  if (size < expected) return broken(`${path} is truncated: expected ${expected} bytes, has ${size}.`);
  return { kind: 'whole', tensors };
}

/** Where a tensor ends, in bytes from the start of the tensor data. */
function tensorEnd(reader: FileReader): number {
  reader.text();
  const dimensions = reader.u32();
  if (dimensions > 4) throw new Error(`a tensor has ${dimensions} dimensions.`);
  let elements = 1;
  for (let i = 0; i < dimensions; i += 1) elements *= reader.u64();
  const type = reader.u32();
  return reader.u64() + tensorBytes(type, elements);
}

const U32 = 4;
const STRING = 8;
const ARRAY = 9;
/** Sizes of the other value types by their number in the format. */
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, undefined, undefined, 8, 8, 8] as const;

function skipValue(reader: FileReader, type: number): void {
  if (type === STRING) {
    reader.skip(reader.u64());
    return;
  }
  if (type !== ARRAY) {
    reader.skip(valueBytes(type));
    return;
  }
  const element = reader.u32();
  const length = reader.u64();
  if (element !== STRING && element !== ARRAY) reader.skip(length * valueBytes(element));
  else for (let i = 0; i < length; i += 1) skipValue(reader, element);
}

function valueBytes(type: number): number {
  const bytes = VALUE_BYTES[type];
  if (bytes === undefined) throw new Error(`a value has the unknown type ${type}.`);
  return bytes;
}

function broken(message: string): GgufCheck {
  return { kind: 'broken', message };
}
