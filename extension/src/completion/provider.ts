/** The editor's side of completions: reads the document around the cursor, shows what the engine gives. Never a pop-up. */
import * as vscode from 'vscode';
import type { Connection } from '../connection/connection.ts';
import type { Log } from '../log.ts';
import type { Settings } from '../settings.ts';
import { SCHEMES, sentPath } from './documents.ts';
import { CompletionEngine } from './engine/engine.ts';
import { WINDOW } from './engine/window.ts';

const DOCUMENTS: vscode.DocumentSelector = SCHEMES.map((scheme) => ({ scheme }));

export type CompletionParts = {
  connection: Connection;
  /** The settings as they are for a document now. */
  settings: (document: vscode.TextDocument) => Settings;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
  log: Log;
};

export function registerCompletions(parts: CompletionParts): vscode.Disposable {
  const engine = new CompletionEngine();
  const registration = vscode.languages.registerInlineCompletionItemProvider(DOCUMENTS, {
    provideInlineCompletionItems: async (document, position, context, token) => {
      const settings = parts.settings(document);
      if (!settings['completion.enabled'] || parts.connection.standing.kind !== 'ready') return undefined;
      using cancel = abortOn(token);
      const place = cursorPlace(document, position, context.selectedCompletionInfo);
      const outcome = await engine.complete(
        {
          before: place.before,
          behind: place.behind,
          explicit: context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke,
          debounceMs: settings['completion.debounceMs'],
        },
        {
          wait: parts.wait,
          fetch: async ({ prefix, suffix }, signal) => {
            const reply = await parts.connection.complete(
              {
                model: settings['completion.model'],
                prompt: prefix,
                suffix,
                max_tokens: settings['completion.maxTokens'],
                temperature: 0,
                hearth: {
                  path: pathOf(document),
                  language: document.languageId,
                },
              },
              signal,
            );
            if (reply.kind === 'ok' || reply.kind === 'cancelled') return reply;
            return { kind: 'failed' };
          },
        },
        cancel.signal,
      );
      parts.log.debug(`completion ${outcome.kind}`);
      if (outcome.kind !== 'suggestion') return undefined;
      const text =
        document.eol === vscode.EndOfLine.CRLF ? outcome.text.replaceAll('\n', '\r\n') : outcome.text;
      const end = place.range.end.translate(0, outcome.replaceAfter);
      return [new vscode.InlineCompletionItem(place.chosen + text, place.range.with({ end }))];
    },
  });
  return vscode.Disposable.from(registration, { dispose: () => engine.cancel() });
}

/**
 * The text around the cursor. With an entry chosen in the suggest menu, the text is as if it had been accepted:
 * the editor shows only suggestions that go on from it.
 */
function cursorPlace(
  document: vscode.TextDocument,
  position: vscode.Position,
  selected: vscode.SelectedCompletionInfo | undefined,
) {
  const range = selected?.range ?? new vscode.Range(position, position);
  const chosen = selected?.text ?? '';
  const from = document.positionAt(document.offsetAt(range.start) - 2 * WINDOW.prefix);
  const to = document.positionAt(document.offsetAt(range.end) + 2 * WINDOW.suffix);
  return {
    before: document.getText(new vscode.Range(from, range.start)) + chosen,
    behind: document.getText(new vscode.Range(range.end, to)),
    chosen,
    range,
  };
}

function pathOf({ uri }: vscode.TextDocument): string {
  const inside = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  return sentPath(uri.path, inside ? vscode.workspace.asRelativePath(uri, false) : undefined);
}

/** The token as a signal, for as long as the returned value is in use. */
function abortOn(token: vscode.CancellationToken): { signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  if (token.isCancellationRequested) controller.abort();
  const listening = token.onCancellationRequested(() => controller.abort());
  return { signal: controller.signal, [Symbol.dispose]: () => void listening.dispose() };
}
