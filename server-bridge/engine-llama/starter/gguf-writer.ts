/** Writes GGUF version 3 files: metadata, then tensors, each on a 32-byte boundary (ggml's docs/gguf.md). */

export type MetadataValue =
  | { type: 'u32'; value: number }
  | { type: 'f32'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: readonly string[] }
  | { type: 'i32s'; value: readonly number[] };

/** ggml's numbers for the encodings used here. */
const GGML_TYPE = { f32: 0, f16: 1, q8_0: 8 } as const;

export interface EncodedTensor {
  readonly name: string;
  readonly encoding: keyof typeof GGML_TYPE;
  /** Sizes, the innermost (input) dimension first. */
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

const VALUE_TYPE = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const;
const ALIGNMENT = 32;

/** The bytes of a whole file. Names and sizes are trusted: they come from our own builder. */
export function writeGguf(
  metadata: Readonly<Record<string, MetadataValue>>,
  tensors: readonly EncodedTensor[],
): Buffer {
  const entries = Object.entries(metadata);
  const header = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)];
  for (const [key, entry] of entries) header.push(text(key), ...encodeValue(entry));
  let offset = 0;
  for (const tensor of tensors) {
    header.push(text(tensor.name), u32(tensor.shape.length), ...tensor.shape.map(u64));
    header.push(u32(GGML_TYPE[tensor.encoding]), u64(offset));
    offset += aligned(tensor.bytes.length);
  }
  const head = Buffer.concat(header);
  const parts: Uint8Array[] = [head, padding(head.length)];
  for (const { bytes } of tensors) parts.push(bytes, padding(bytes.length));
  return Buffer.concat(parts);
}

function encodeValue(entry: MetadataValue): Buffer[] {
  switch (entry.type) {
    case 'u32':
      return [u32(VALUE_TYPE.u32), u32(entry.value)];
    case 'f32':
      return [u32(VALUE_TYPE.f32), f32(entry.value)];
    case 'bool':
      return [u32(VALUE_TYPE.bool), Buffer.from([entry.value ? 1 : 0])];
    case 'string':
      return [u32(VALUE_TYPE.string), text(entry.value)];
    case 'strings':
      return [...arrayHead(VALUE_TYPE.string, entry.value.length), ...entry.value.map(text)];
    case 'i32s':
      return [...arrayHead(VALUE_TYPE.i32, entry.value.length), ...entry.value.map(u32)];
  }
}

function arrayHead(type: number, length: number): Buffer[] {
  return [u32(VALUE_TYPE.array), u32(type), u64(length)];
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function padding(length: number): Buffer {
  return Buffer.alloc(aligned(length) - length);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}
