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

/** What a format puts around a file: its separator token, which a byte-level vocabulary counts as one, and line ends. */
const FILE_BYTES = 8;

/** Of a budget too small for everything, the suffix gets this share; the prefix, which matters most, gets the rest. */
const SUFFIX_SHARE = 0.25;

/**
 * Cuts the input to a number of UTF-8 bytes: the suffix from its end, the prefix from its start (at a line's start
 * where one is near), and of the other files as many as still fit, from the first, since those are the most stable.
 */
export function trimFim(input: FimInput, bytes: number): FimInput {
  const budget = Math.max(0, Math.floor(bytes));
  const suffixRoom = Math.max(Math.floor(budget * SUFFIX_SHARE), budget - utf8Length(input.prefix));
  const suffix = headWithin(input.suffix, suffixRoom);
  const prefix = tailWithin(input.prefix, budget - utf8Length(suffix));
  if (input.context === undefined) return { prefix, suffix };

  let left = budget - utf8Length(suffix) - utf8Length(prefix);
  const files = [];
  for (const file of input.context.files) {
    left -= utf8Length(file.path) + utf8Length(file.text) + FILE_BYTES;
    if (left < 0) break;
    files.push(file);
  }
  return { prefix, suffix, context: { ...input.context, files } };
}

function headWithin(text: string, room: number): string {
  let end = 0;
  for (let left = room; end < text.length; end += unitsAt(text, end)) {
    left -= utf8Bytes(text.codePointAt(end) ?? 0);
    if (left < 0) break;
  }
  return text.slice(0, end);
}

/** A cut line would mislead the model, so a tail starts with a whole line unless that would cost more than a quarter. */
function tailWithin(text: string, room: number): string {
  let start = text.length;
  for (let left = room; start > 0;) {
    const before = start - unitsBefore(text, start);
    left -= utf8Bytes(text.codePointAt(before) ?? 0);
    if (left < 0) break;
    start = before;
  }
  const tail = text.slice(start);
  const line = tail.indexOf('\n');
  return start > 0 && line >= 0 && line < tail.length / 4 ? tail.slice(line + 1) : tail;
}

function utf8Length(text: string): number {
  let length = 0;
  for (const character of text) length += utf8Bytes(character.codePointAt(0) ?? 0);
  return length;
}

function utf8Bytes(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x1_00_00 ? 3 : 4;
}

/** UTF-16 units of the character at, or before, a position: two for a surrogate pair. */
const unitsAt = (text: string, at: number) => ((text.codePointAt(at) ?? 0) > 0xff_ff ? 2 : 1);
const unitsBefore = (text: string, at: number) => (at >= 2 && unitsAt(text, at - 2) === 2 ? 2 : 1);
