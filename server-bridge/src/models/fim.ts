/** Fill-in-the-middle prompts: each model family's own tokens, and what to leave out when the context is too small. */
import type { CompletionContext, FimFormat } from '@hearth/protocol';

/** Text around the cursor, and other files that bear on it. */
export interface FimInput {
  prefix: string;
  suffix: string;
  context?: CompletionContext | undefined;
}

/** What to send to a raw-text completion endpoint. */
export interface FimPrompt {
  prompt: string;
  /** Tokens that only leak into the text when a model goes on past its answer. */
  stop: string[];
}

interface Format {
  render: (input: FimInput) => string;
  stop: string[];
}

// Token spellings: Qwen2.5-Coder technical report §3.2; Code Llama paper §2.3 (infilling), its tokenizer's ▁ forms are
// added by the server; DeepSeek-Coder and StarCoder2 model cards; Mistral's FIM guide (suffix before prefix).
const FORMATS: Record<Exclude<FimFormat, 'none'>, Format> = {
  qwen: {
    render: ({ prefix, suffix, context }) => {
      const inFile = `<|fim_prefix|>${prefix}<|fim_suffix|>${suffix}<|fim_middle|>`;
      if (context === undefined || context.files.length === 0) return inFile;
      const files = context.files.map((file) => `<|file_sep|>${file.path}\n${file.text}\n`).join('');
      return `<|repo_name|>${context.repo ?? 'repository'}\n${files}<|file_sep|>${context.path ?? 'current'}\n${inFile}`;
    },
    stop: [
      '<|endoftext|>',
      '<|fim_prefix|>',
      '<|fim_middle|>',
      '<|fim_suffix|>',
      '<|fim_pad|>',
      '<|repo_name|>',
      '<|file_sep|>',
      '<|im_start|>',
      '<|im_end|>',
    ],
  },
  codellama: {
    render: ({ prefix, suffix }) => `<PRE> ${prefix} <SUF>${suffix} <MID>`,
    stop: ['<PRE>', '<SUF>', '<MID>', '<EOT>', '</s>'],
  },
  deepseek: {
    render: ({ prefix, suffix }) => `<｜fim▁begin｜>${prefix}<｜fim▁hole｜>${suffix}<｜fim▁end｜>`,
    stop: ['<｜fim▁begin｜>', '<｜fim▁hole｜>', '<｜fim▁end｜>', '<｜end▁of▁sentence｜>'],
  },
  starcoder: {
    render: ({ prefix, suffix }) => `<fim_prefix>${prefix}<fim_suffix>${suffix}<fim_middle>`,
    stop: ['<fim_prefix>', '<fim_suffix>', '<fim_middle>', '<file_sep>', '<|endoftext|>'],
  },
  codestral: {
    render: ({ prefix, suffix }) => `[SUFFIX]${suffix}[PREFIX]${prefix}`,
    stop: ['[SUFFIX]', '[PREFIX]', '[MIDDLE]', '</s>'],
  },
};

/** Renders the prompt in a model's format; undefined for a model that can't fill in the middle. */
export function renderFim(format: FimFormat, input: FimInput): FimPrompt | undefined {
  if (format === 'none') return undefined;
  const { render, stop } = FORMATS[format];
  return { prompt: render(input), stop };
}

/** Of a budget too small for everything, the suffix gets this share; the prefix, which matters most, gets the rest. */
const SUFFIX_SHARE = 0.25;

/**
 * Cuts the input to a number of characters: the suffix from its end, the prefix from its start (at a line's start
 * where one is near), and of the other files as many as still fit, from the first, since those are the most stable.
 */
export function trimFim(input: FimInput, characters: number): FimInput {
  const budget = Math.max(0, Math.floor(characters));
  const suffixRoom = Math.max(Math.floor(budget * SUFFIX_SHARE), budget - input.prefix.length);
  const suffix = withoutBrokenPair(input.suffix.slice(0, suffixRoom));
  const prefix = tailByLine(input.prefix, budget - suffix.length);
  if (input.context === undefined) return { prefix, suffix };

  let left = budget - suffix.length - prefix.length;
  const files = [];
  for (const file of input.context.files) {
    left -= file.path.length + file.text.length;
    if (left < 0) break;
    files.push(file);
  }
  return { prefix, suffix, context: { ...input.context, files } };
}

function tailByLine(text: string, room: number): string {
  if (text.length <= room) return text;
  const tail = text.slice(text.length - room);
  const line = tail.indexOf('\n');
  // A cut line would mislead the model, but dropping much for it would cost more.
  if (line >= 0 && line < room / 4) return tail.slice(line + 1);
  return isLowSurrogate(tail.charCodeAt(0)) ? tail.slice(1) : tail;
}

function withoutBrokenPair(text: string): string {
  return text.length > 0 && isHighSurrogate(text.charCodeAt(text.length - 1)) ? text.slice(0, -1) : text;
}

const isHighSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdbff;
const isLowSurrogate = (unit: number) => unit >= 0xdc00 && unit <= 0xdfff;
