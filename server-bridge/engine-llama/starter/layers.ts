/**
 * The starter's layers, each weight with its reason.
 *
 * 1. attention copies the last WINDOW tokens into the window;
 * 2. attention fetches the end of the prefix from `<|fim_suffix|>`, and where `<|fim_middle|>` stands in the
 *    window, the feed-forward part puts that end in the place of what stands before it: text generated so far then
 *    follows the prefix, as it will in the file;
 * 3. and further: one neuron an association, firing if the window ends with its context.
 */
import { CODE_SIZE, codeOf } from './byte-code.ts';
import {
  CONSTANT,
  CONSTANT_VALUE,
  HEADS,
  HEAD_SIZE,
  KV_HEADS,
  NORM,
  ONE,
  OUTPUT,
  SUFFIX_FLAG,
  WIDTH,
  WINDOW,
  middleFlag,
  prefixEnd,
  window,
} from './layout.ts';
import type { Association } from './memory.ts';
import { offsetKey, offsetQuery } from './rope-offset.ts';
import { Matrix } from './tensor.ts';

export class Layer {
  readonly query = new Matrix(HEADS * HEAD_SIZE, WIDTH);
  readonly queryBias = new Float32Array(HEADS * HEAD_SIZE);
  readonly key = new Matrix(KV_HEADS * HEAD_SIZE, WIDTH);
  readonly keyBias = new Float32Array(KV_HEADS * HEAD_SIZE);
  readonly value = new Matrix(KV_HEADS * HEAD_SIZE, WIDTH);
  readonly mix = new Matrix(WIDTH, HEADS * HEAD_SIZE);
  readonly gate: Matrix;
  readonly up: Matrix;
  readonly down: Matrix;

  constructor(neurons: number) {
    this.gate = new Matrix(neurons, WIDTH);
    this.up = new Matrix(neurons, WIDTH);
    this.down = new Matrix(WIDTH, neurons);
  }
}

/** What RMSNorm leaves of the constant and of a one. */
const NORMED_CONSTANT = CONSTANT_VALUE / NORM;
const NORMED_ONE = ONE / NORM;

/** Head i − 1 looks i tokens back. All share the same keys and values: the token's byte and its flag. */
export function lookBack(layer: Layer): void {
  for (let kv = 0; kv < KV_HEADS; kv += 1) {
    layer.keyBias.set(offsetKey(), kv * HEAD_SIZE);
    for (let bit = 0; bit < CODE_SIZE; bit += 1) layer.value.set(kv * HEAD_SIZE + bit, window(0) + bit, NORM);
    layer.value.set(kv * HEAD_SIZE + CODE_SIZE, middleFlag(0), NORM);
  }
  for (let offset = 1; offset <= WINDOW; offset += 1) {
    const head = (offset - 1) * HEAD_SIZE;
    layer.queryBias.set(offsetQuery(offset), head);
    for (let bit = 0; bit < CODE_SIZE; bit += 1) layer.mix.set(window(offset) + bit, head + bit, 1);
    layer.mix.set(middleFlag(offset), head + CODE_SIZE, 1);
  }
}

/** Every token looks for `<|fim_suffix|>` by RoPE's lowest frequency; a key/value head brings two bytes. */
export function fetchPrefixEnd(layer: Layer): void {
  const lowest = HEAD_SIZE / 2 - 1;
  const strength = Math.sqrt(60 * Math.sqrt(HEAD_SIZE));
  const perHead = HEAD_SIZE / CODE_SIZE;
  for (let kv = 0; kv < WINDOW / perHead; kv += 1) {
    const head = (kv * HEADS * HEAD_SIZE) / KV_HEADS;
    layer.queryBias[head + lowest] = strength;
    layer.key.set(kv * HEAD_SIZE + lowest, SUFFIX_FLAG, strength / NORMED_ONE);
    for (let i = 0; i < HEAD_SIZE; i += 1) {
      const k = kv * perHead + 1;
      layer.value.set(kv * HEAD_SIZE + i, window(k) + i, NORM);
      layer.mix.set(prefixEnd(k) + i, head + i, 1);
    }
  }
}

/** A flag lifts its neurons' gates from −20 to SPLICE_GATE; without it they are shut. */
const SPLICE_GATE = 108;

/** With `<|fim_middle|>` at offset j, window(j − 1 + k) becomes prefixEnd(k). Takes SPLICE_NEURONS. */
export function splicePrefixEnd(layer: Layer): void {
  let neuron = 0;
  for (let middle = 0; middle < WINDOW; middle += 1) {
    for (let k = 1; middle - 1 + k < WINDOW; k += 1) {
      for (let bit = 0; bit < CODE_SIZE; bit += 1) {
        const into = window(middle - 1 + k) + bit;
        layer.gate.set(neuron, middleFlag(middle), (SPLICE_GATE + 20) / NORMED_ONE);
        layer.gate.set(neuron, CONSTANT, -20 / NORMED_CONSTANT);
        layer.up.set(neuron, prefixEnd(k) + bit, NORM * ONE);
        layer.up.set(neuron, into, -NORM * ONE);
        layer.down.set(into, neuron, 1 / ONE / SPLICE_GATE);
        neuron += 1;
      }
    }
  }
}

export const SPLICE_NEURONS = ((WINDOW * (WINDOW + 1)) / 2) * CODE_SIZE;

/** A full match opens a gate to 16, and the best that can miss shuts it to −16: two bits count for 32. */
const MATCH_GATE = 16;
/** Size of the output's code where an association fires. */
export const OUTPUT_VALUE = 4;

export function remember(layer: Layer, associations: readonly Association[]): void {
  for (const [neuron, { context, next }] of associations.entries()) {
    for (const [i, byte] of [...context].toReversed().entries()) {
      for (const [bit, sign] of codeOf(byte).entries()) {
        layer.gate.set(neuron, window(i) + bit, (sign * MATCH_GATE) / NORMED_ONE);
      }
    }
    const threshold = CODE_SIZE * context.length - 1;
    layer.gate.set(neuron, CONSTANT, (-threshold * MATCH_GATE) / NORMED_CONSTANT);
    layer.up.set(neuron, CONSTANT, 1 / NORMED_CONSTANT);
    for (const [bit, sign] of codeOf(next).entries()) {
      layer.down.set(OUTPUT + bit, neuron, (sign * OUTPUT_VALUE) / MATCH_GATE);
    }
  }
}
