/** A dense float matrix to fill in place, and its encodings as ggml tensors: F32, F16 and Q8_0. */
import type { EncodedTensor } from './gguf-writer.ts';

/** Rows are outputs, columns inputs: `output[row] = Σ weight(row, column) · input[column]`. */
export class Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array;

  constructor(rows: number, columns: number) {
    this.rows = rows;
    this.columns = columns;
    this.values = new Float32Array(rows * columns);
  }

  set(row: number, column: number, value: number): void {
    if (row >= this.rows || column >= this.columns) throw new RangeError(`no cell ${row}, ${column}`);
    this.values[row * this.columns + column] = value;
  }
}

/** Q8_0: blocks of 32 inputs, one F16 scale and 32 signed bytes each. Values of ±127·2ᵏ are kept exactly. */
const BLOCK = 32;

export function asQ8(name: string, matrix: Matrix): EncodedTensor {
  const { values } = matrix;
  const blocks = values.length / BLOCK;
  const bytes = new Uint8Array(blocks * (2 + BLOCK));
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < blocks; block += 1) {
    let largest = 0;
    for (let i = 0; i < BLOCK; i += 1) largest = Math.max(largest, Math.abs(values[block * BLOCK + i] ?? 0));
    if (largest === 0) continue;
    const at = block * (2 + BLOCK);
    view.setFloat16(at, largest / 127, true);
    for (let i = 0; i < BLOCK; i += 1) {
      view.setInt8(at + 2 + i, Math.round(((values[block * BLOCK + i] ?? 0) / largest) * 127));
    }
  }
  return { name, encoding: 'q8_0', shape: [matrix.columns, matrix.rows], bytes };
}

export function asF16(name: string, matrix: Matrix): EncodedTensor {
  const bytes = new Uint8Array(matrix.values.length * 2);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of matrix.values.entries()) if (value !== 0) view.setFloat16(i * 2, value, true);
  return { name, encoding: 'f16', shape: [matrix.columns, matrix.rows], bytes };
}

/** Norms and biases have to be F32: llama.cpp aborts on anything else. */
export function asF32(name: string, vector: Float32Array): EncodedTensor {
  const bytes = new Uint8Array(vector.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of vector.entries()) view.setFloat32(i * 4, value, true);
  return { name, encoding: 'f32', shape: [vector.length], bytes };
}
