/** One line of a sum: what it is, how it was reckoned, how many bytes come out, and where the numbers are from. Pure. */

export interface Term {
  name: string;
  arithmetic: string;
  bytes: number;
  source: string;
}

export const total = (terms: readonly Term[]) => terms.reduce((sum, term) => sum + term.bytes, 0);
