/** The status bar's words while the bridge can be reached: which model and GPU answered, or why none did. Pure. */
import type { Answered, Standing } from '../connection/standing.ts';
import { faultWords } from '../words/fault-words.ts';
import type { Translate } from '../words/translate.ts';
import type { StatusText } from './status-text.ts';

type Ready = Extract<Standing, { kind: 'ready' }>;

const warn = (text: string, ...details: string[]): StatusText => ({
  icon: 'warning',
  text,
  severity: 'warning',
  action: 'selectModel',
  details,
});

/** `model`: the model setting. What another model answered or could not is of yesterday. */
export function readyText(standing: Ready, model: string, t: Translate): StatusText {
  const trouble = standing.trouble?.asked === model ? standing.trouble : undefined;
  if (trouble?.code === 'model_not_found') return noSuchModel(model, t);
  if (trouble !== undefined)
    return warn(t('no answer'), t('The bridge could not answer the last request.'), faultWords(trouble, t));

  // A tunnel that carries but has something wrong is worth a colour.
  const severity = standing.problem === undefined ? 'normal' : 'warning';
  const ready = { icon: 'flame', severity, action: 'selectModel' } as const;
  if (standing.answered?.asked === model) return answeredText(standing.answered, ready, t);

  const models = standing.models.filter(({ hearth }) => hearth.roles.includes('completion'));
  if (models.every(({ hearth }) => hearth.state === 'down'))
    return warn(t('no model is up'), t('The bridge is there, but none of its models can answer.'));
  const chosen = models.find(({ id }) => id === model);
  // A backend's id is a model too, one that is not listed.
  const pinned = models.some(({ hearth }) => hearth.served_by === model);
  if (model !== 'auto' && chosen === undefined && !pinned) return noSuchModel(model, t);
  if (chosen?.hearth.state === 'down')
    return warn(
      t('{0} is down', chosen.id),
      t('No server can answer for the model “{0}”. Click to choose another.', chosen.id),
    );
  if (chosen?.hearth.state === 'fallback') return fallback(chosen.id, chosen.hearth.served_by ?? '?', t);
  const only = models.length === 1 ? models[0]?.id : undefined;
  return { ...ready, text: (model === 'auto' ? only : undefined) ?? model, details: [t('Ready.')] };
}

function answeredText(
  { model, backend, gpu, fallback: isFallback, firstTokenMs, totalMs }: Answered,
  ready: Pick<StatusText, 'icon' | 'severity' | 'action'>,
  t: Translate,
): StatusText {
  const facts = [
    ...(gpu === undefined ? [] : [t('GPU: {0}', gpu)]),
    t('First token after {0} ms, whole answer after {1} ms.', Math.round(firstTokenMs), Math.round(totalMs)),
  ];
  if (isFallback) return fallback(model, backend, t, facts);
  const place = gpu ?? backend;
  return {
    ...ready,
    text: place === '' ? model : `${model} · ${place}`,
    details: [t('“{0}” was answered by {1}.', model, backend || t('the bridge')), ...facts],
  };
}

function fallback(model: string, backend: string, t: Translate, facts: string[] = []): StatusText {
  return warn(
    t('{0} → {1} (fallback)', model, backend),
    t('The first choice for “{0}” can’t answer; {1} stands in for it.', model, backend),
    ...facts,
  );
}

function noSuchModel(model: string, t: Translate): StatusText {
  return warn(
    t('no such model'),
    t('The bridge has no model “{0}” for completions. Click to choose another.', model),
  );
}
