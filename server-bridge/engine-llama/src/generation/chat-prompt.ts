/** Renders a conversation by the Jinja template that the model's file brings. */
import { HearthError } from '@hearth/protocol';
import { Template } from '@huggingface/jinja';
import type { ChatTurn } from './engine.ts';

/** ChatML, for files without a template: what Qwen and most code models use. */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{{ '<|im_start|>assistant\\n' }}";

export type ChatRenderer = (turns: readonly ChatTurn[], options: { goesOn: boolean }) => string;

/** @throws Error where the template itself can't be parsed; the renderer throws HearthError invalid_request. */
export function chatRenderer(
  source: string | undefined,
  special: { bos: string; eos: string },
): ChatRenderer {
  const template = new Template(source ?? CHATML);
  const render = (turns: readonly ChatTurn[]) =>
    template.render({
      messages: turns,
      add_generation_prompt: true,
      bos_token: special.bos,
      eos_token: special.eos,
    });
  return (turns, { goesOn }) => {
    try {
      if (!goesOn) return render(turns);
      // An unfinished turn is what comes after the prompt for it, in every template; as llama-server had it first
      // (llama.cpp#13174). To render it and cut off its end would depend on how each template trims.
      return render(turns.slice(0, -1)) + (turns.at(-1)?.content ?? '');
    } catch (error) {
      // Templates refuse what their model can't do (such as two user turns in a row) by raising.
      const message = `The model's chat template refuses these messages: ${(error as Error).message}`;
      throw new HearthError('invalid_request', message, { param: 'messages', cause: error });
    }
  };
}
