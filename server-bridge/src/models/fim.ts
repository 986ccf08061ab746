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
  /** False for a family that has no way to show other files: then they get no room either. */
  files: boolean;
}

/** The current file's name in a multi-file prompt, where the client doesn't say. */
const CURRENT = 'current';

/** The other files, or undefined where there are none and the in-file format is the right one. */
const others = (context: CompletionContext | undefined) =>
  context !== undefined && context.files.length > 0 ? context : undefined;

// Token spellings: Qwen2.5-Coder technical report §3.2; Code Llama paper §2.3 (infilling), its tokenizer's ▁ forms are
// added by the server; DeepSeek-Coder and StarCoder2 model cards; Mistral's FIM guide (suffix before prefix).
const FORMATS: Record<Exclude<FimFormat, 'none'>, Format> = {
  qwen: {
    render: ({ prefix, suffix, context }) => {
      const inFile = `<|fim_prefix|>${prefix}<|fim_suffix|>${suffix}<|fim_middle|>`;
      const more = others(context);
      if (more === undefined) return inFile;
      const files = more.files.map((file) => `<|file_sep|>${file.path}\n${file.text}\n`).join('');
      return `<|repo_name|>${more.repo ?? 'repository'}\n${files}<|file_sep|>${more.path ?? CURRENT}\n${inFile}`;
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
    files: true,
  },
  // Its paper knows one file; a second one before <PRE> would be text of no kind it was trained on.
  codellama: {
    render: ({ prefix, suffix }) => `<PRE> ${prefix} <SUF>${suffix} <MID>`,
    stop: ['<PRE>', '<SUF>', '<MID>', '<EOT>', '</s>'],
    files: false,
  },
  // Other files: "Repository Level Code Completion" of DeepSeek-Coder's README, a comment with each file's path before it.
  // The hole is made in the joined text (paper §3.1.2, document level), so the files stand inside the prefix.
  deepseek: {
    render: ({ prefix, suffix, context }) => {
      const more = others(context);
      const files = more?.files.map((file) => `#${file.path}\n${file.text}\n\n`).join('') ?? '';
      const head = more === undefined ? '' : `${files}#${more.path ?? CURRENT}\n`;
      return `<｜fim▁begin｜>${head}${prefix}<｜fim▁hole｜>${suffix}<｜fim▁end｜>`;
    },
    stop: ['<｜fim▁begin｜>', '<｜fim▁hole｜>', '<｜fim▁end｜>', '<｜end▁of▁sentence｜>'],
    files: true,
  },
  // Other files: StarCoder2 paper (arXiv 2402.19173), repository-context samples; there the path of the file with the
  // hole comes after <fim_prefix>. The first StarCoder has other tokens for this (<reponame>, <filename>).
  starcoder: {
    render: ({ prefix, suffix, context }) => {
      const more = others(context);
      const hole = `${more === undefined ? '' : `${more.path ?? CURRENT}\n`}${prefix}<fim_suffix>${suffix}<fim_middle>`;
      if (more === undefined) return `<fim_prefix>${hole}`;
      const files = more.files.map((file) => `<file_sep>${file.path}\n${file.text}`).join('');
      return `<repo_name>${more.repo ?? 'repository'}${files}<file_sep><fim_prefix>${hole}`;
    },
    stop: ['<fim_prefix>', '<fim_suffix>', '<fim_middle>', '<file_sep>', '<|endoftext|>'],
    files: true,
  },
  // Other files: as Continue sends them to Codestral (core/autocomplete/templating); Mistral's guide has one file only.
  // Continue also stops at "\n+++++ ", which stands in patches and in Markdown, so it is no stop here.
  codestral: {
    render: ({ prefix, suffix, context }) => {
      const more = others(context);
      const files = more?.files.map((file) => `+++++ ${file.path}\n${file.text}\n\n`).join('') ?? '';
      const head = more === undefined ? '' : `${files}+++++ ${more.path ?? CURRENT}\n`;
      return `[SUFFIX]${suffix}[PREFIX]${head}${prefix}`;
    },
    stop: ['[SUFFIX]', '[PREFIX]', '[MIDDLE]', '</s>'],
    files: true,
  },
};

/** Renders the prompt in a model's format; undefined for a model that can't fill in the middle. */
export function renderFim(format: FimFormat, input: FimInput): FimPrompt | undefined {
  if (format === 'none') return undefined;
  const { render, stop } = FORMATS[format];
  return { prompt: render(input), stop };
}

/**
 * What a format puts around a file at most: its separator token, which a byte-level vocabulary counts as one, or the
 * separator's own bytes (`+++++ `), and line ends.
 */
const FILE_BYTES = 10;

/** Of a budget too small for everything, the suffix gets this share; the prefix, which matters most, gets the rest. */
const SUFFIX_SHARE = 0.25;

/**
 * Cuts the input to a number of UTF-8 bytes: the suffix from its end, the prefix from its start (at a line's start
 * where one is near), and of the other files as many as still fit, from the first, since those are the most stable. A
 * `format` that can't show other files gets none.
 */
export function trimFim(input: FimInput, bytes: number, format?: FimFormat): FimInput {
  const budget = Math.max(0, Math.floor(bytes));
  const suffixRoom = Math.max(Math.floor(budget * SUFFIX_SHARE), budget - utf8Length(input.prefix));
  const suffix = headWithin(input.suffix, suffixRoom);
  const prefix = tailWithin(input.prefix, budget - utf8Length(suffix));
  if (input.context === undefined) return { prefix, suffix };

  if (format !== undefined && !showsFiles(format)) return { prefix, suffix };

  const { repo = '', path = '' } = input.context;
  let left = budget - utf8Length(suffix) - utf8Length(prefix);
  // The names that only stand there when files do.
  left -= utf8Length(repo) + utf8Length(path) + 2 * FILE_BYTES;
  const files = [];
  for (const file of input.context.files) {
    left -= utf8Length(file.path) + utf8Length(file.text) + FILE_BYTES;
    if (left < 0) break;
    files.push(file);
  }
  return { prefix, suffix, context: { ...input.context, files } };
}

const showsFiles = (format: FimFormat) => format !== 'none' && FORMATS[format].files;

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
