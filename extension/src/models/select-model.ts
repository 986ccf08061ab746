/** The quick pick of the bridge's models, with what each can do and whether it is up; writes `hearth.completion.model`. */
import type { ModelEntry } from '@hearth/protocol';
import * as vscode from 'vscode';
import type { Connection } from '../connection/connection.ts';
import type { Settings } from '../settings.ts';
import { faultWords } from '../words/fault-words.ts';
import { writeSetting } from '../write-setting.ts';

type Choice = vscode.QuickPickItem & { id: string };

export async function selectModel(connection: Connection, settings: () => Settings): Promise<void> {
  const cancelled = new AbortController();
  const pick = vscode.window.createQuickPick<Choice>();
  const hidden = new Promise<undefined>((resolve) => {
    pick.onDidHide(() => resolve(undefined));
  });
  const accepted = new Promise<Choice | undefined>((resolve) => {
    pick.onDidAccept(() => resolve(pick.selectedItems[0]));
  });
  try {
    pick.title = vscode.l10n.t('Model for completions');
    pick.busy = true;
    pick.placeholder = vscode.l10n.t('Asking the bridge…');
    pick.show();
    const reply = await Promise.race([connection.models(cancelled.signal), hidden]);
    if (reply === undefined) return;
    pick.busy = false;
    if (reply.kind !== 'ok') {
      const why =
        reply.kind === 'cancelled'
          ? vscode.l10n.t('Hearth is not connected.')
          : faultWords(reply, vscode.l10n.t);
      void vscode.window.showWarningMessage(vscode.l10n.t('No list of models: {0}', why));
      return;
    }
    const current = settings()['completion.model'];
    pick.placeholder = vscode.l10n.t('The model in use is “{0}”', current);
    pick.items = choices(reply.models, current);
    pick.activeItems = pick.items.filter(({ id }) => id === current);
    const choice = await Promise.race([accepted, hidden]);
    if (choice === undefined) return;
    await writeSetting('completion.model', choice.id);
  } finally {
    cancelled.abort();
    pick.dispose();
  }
}

function choices(models: ModelEntry[], current: string): Choice[] {
  const mark = (id: string) => (id === current ? '$(check) ' : '');
  const auto: Choice = {
    id: 'auto',
    label: `${mark('auto')}${vscode.l10n.t('Auto')}`,
    description: vscode.l10n.t('the bridge’s default for completions'),
  };
  const STATES = {
    ready: vscode.l10n.t('ready'),
    fallback: vscode.l10n.t('on its fallback'),
    down: vscode.l10n.t('down'),
  };
  return [
    auto,
    ...models
      .filter(({ hearth }) => hearth.roles.includes('completion'))
      .map(({ id, hearth }): Choice => {
        const by = hearth.served_by === null ? '' : ` · ${hearth.served_by}`;
        return {
          id,
          label: `${mark(id)}${hearth.title}`,
          description:
            hearth.title === id ? STATES[hearth.state] + by : `${id} · ${STATES[hearth.state]}${by}`,
        };
      }),
  ];
}
