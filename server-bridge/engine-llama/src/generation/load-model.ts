/** Loads a GGUF into llama.cpp and hands back an engine on it. */
import { statSync } from 'node:fs';
import type { Logger } from 'pino';
import { type Llama, type LlamaModel, LlamaLogLevel, getLlama } from 'node-llama-cpp';
import type { ResolvedModel } from '../models/resolve.ts';
import { chatRenderer } from './chat-prompt.ts';
import { Embedder } from './embedder.ts';
import { LlamaEngine } from './llama-engine.ts';

export type Gpu = 'auto' | 'off' | 'vulkan' | 'cuda' | 'metal';

export interface LoadOptions {
  readonly context: number;
  readonly parallel: number;
  /** Absent: one for a small model, the machine's physical cores otherwise. */
  readonly threads: number | undefined;
  readonly gpu: Gpu;
  readonly log: Logger;
  readonly signal: AbortSignal;
  readonly onProgress: (fraction: number) => void;
}

/**
 * A model this small fits into a processor's cache: a GPU only slows it down, and more threads only wait for each
 * other.
 */
const SMALL_BYTES = 64 * 1024 * 1024;

/** @throws Error as llama.cpp words it. Some broken files abort the process: check them first. */
export async function loadModel(resolved: ResolvedModel, options: LoadOptions): Promise<LlamaEngine> {
  const small = statSync(resolved.path).size < SMALL_BYTES;
  const gpu = small ? 'off' : options.gpu;
  const wanted = options.threads ?? (small ? 1 : undefined);
  const llama = await startLlama(gpu, wanted, options.log);
  const threads = wanted ?? llama.cpuMathCores;
  const model = await llama.loadModel({
    modelPath: resolved.path,
    loadSignal: options.signal,
    onLoadProgress: options.onProgress,
  });
  const contextSize = Math.min(options.context, model.trainContextSize);
  const context = await model.createContext({
    contextSize,
    sequences: options.parallel,
    threads,
    // Measured on the starter: twice as fast from 1,000 tokens on; its many small heads are all in softmax.
    flashAttention: small ? true : 'auto',
    createSignal: options.signal,
  });
  const sequences = Array.from({ length: options.parallel }, () => context.getSequence());
  const embedder = new Embedder(model, { contextSize, threads });
  options.log.info(
    { threads, gpu: llama.gpu, context: contextSize, parallel: options.parallel },
    'model loaded',
  );
  return new LlamaEngine({ model, context, sequences, embedder, renderChat: rendererOf(model) });
}

async function startLlama(gpu: Gpu, threads: number | undefined, log: Logger): Promise<Llama> {
  const common = {
    // Compiling llama.cpp on a user's machine is never what they asked for.
    build: 'never',
    ...(threads === undefined ? {} : { maxThreads: threads }),
    logLevel: LlamaLogLevel.warn,
    logger: (level: LlamaLogLevel, message: string) => log.debug({ level }, message.trim()),
  } as const;
  if (gpu === 'off') return getLlama({ ...common, gpu: false });
  try {
    return await getLlama({ ...common, gpu });
  } catch (error) {
    if (gpu !== 'auto') throw error;
    log.warn({ err: error }, 'no GPU can be used; falling back to the processor');
    return getLlama({ ...common, gpu: false });
  }
}

function rendererOf(model: LlamaModel): ReturnType<typeof chatRenderer> {
  const template: unknown = model.fileInfo.metadata.tokenizer.chat_template;
  return chatRenderer(typeof template === 'string' ? template : undefined, {
    bos: model.tokens.bosString ?? '',
    eos: model.tokens.eosString ?? '',
  });
}
