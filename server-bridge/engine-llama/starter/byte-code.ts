/** A byte as eight dimensions of ±1: equal bytes score 8 against each other, different ones 6 at most. */

export const CODE_SIZE = 8;

/** Sign of each bit of a byte, lowest first. */
export function codeOf(byte: number): readonly (1 | -1)[] {
  return Array.from({ length: CODE_SIZE }, (_, bit) => ((byte >> bit) & 1 ? 1 : -1));
}

/** The control character by which memory spells `<|im_start|>`, so that only a chat turn brings the chat reply. */
export function byteStandingFor(_token: '<|im_start|>'): number {
  return 0x01;
}
