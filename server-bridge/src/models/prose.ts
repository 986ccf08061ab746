/**
 * Tells code from an assistant talking about code. A model that is sent through its chat template answers a
 * fill-in-the-middle request with Markdown or an explanation (QwenLM/Qwen3-Coder#543), which no editor can use. Pure.
 */

/** How a chat model begins when it was asked for code. */
const OPENINGS =
  /^\s*(?:sure|certainly|of course|okay|here(?:'s| is| are)|to (?:complete|implement|fill)|this (?:function|code)|the (?:code|function|missing|completed))(?=[\s!,.:])/i;

/** Why the text is no completion of code, in words; undefined for text that may be one. */
export function proseIn(completion: string): string | undefined {
  if (completion.trim() === '') return 'it is empty';
  if (completion.includes('```'))
    return 'it has a Markdown code fence: the model was asked through its chat template';
  if (OPENINGS.test(completion))
    return 'it is a chat answer, not code: the model was asked through its chat template';
  if (/<\|?(?:fim|im)_\w+\|?>/.test(completion))
    return 'special tokens leak into it: the wrong fim format, or no stop tokens';
  return undefined;
}
