/** The starter's vocabulary: one token a byte, then Qwen's control tokens under Qwen's names. */

const CONTROL_TOKENS = [
  '<|endoftext|>',
  '<|im_start|>',
  '<|im_end|>',
  '<|fim_prefix|>',
  '<|fim_middle|>',
  '<|fim_suffix|>',
  '<|fim_pad|>',
  '<|repo_name|>',
  '<|file_sep|>',
] as const;

type ControlToken = (typeof CONTROL_TOKENS)[number];

export const BYTES = 256;

/** The token id of a control token; the id of a byte's token is the byte. */
export function controlId(token: ControlToken): number {
  return BYTES + CONTROL_TOKENS.indexOf(token);
}

/** Token texts in id order; bytes stand in the printable alphabet that GPT-2's byte-level BPE uses. */
export const TOKENS: readonly string[] = [...byteAlphabet(), ...CONTROL_TOKENS];

/** llama.cpp's token types: 1 normal, 3 control. */
export const TOKEN_TYPES: readonly number[] = TOKENS.map((_, id) => (id < BYTES ? 1 : 3));

function byteAlphabet(): string[] {
  let stranger = 0;
  return Array.from({ length: BYTES }, (_, byte) => {
    const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCodePoint(printable ? byte : BYTES + stranger++);
  });
}
