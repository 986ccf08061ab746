/** The status bar's words while the bridge can be reached: which model and GPU answered, or why none did. Pure. */
import type { Standing } from '../connection/standing.ts';
import type { StatusText, Translate } from './status-text.ts';

type Ready = Extract<Standing, { kind: 'ready' }>;

const warn = (text: string, ...details: string[]): StatusText => ({
  icon: 'warning',
  text,
  severity: 'warning',
  action: 'selectModel',
  details,
});

/** `model`: the model setting. */
export function readyText(standing: Ready, model: string, t: Translate): StatusText {
  const { answered, models, trouble } = standing;
  if (trouble !== undefined)
    return warn(t('no answer'), t('The bridge could not answer the last request.'), trouble);
  if (models.length > 0 && model !== 'auto' && !models.some(({ id }) => id === model))
    return warn(t('no such model'), t('The bridge has no model “{0}”. Click to choose another.', model));
  if (models.length > 0 && models.every(({ hearth }) => hearth.state === 'down'))
    return warn(t('no model is up'), t('The bridge is there, but none of its models can answer.'));

  // A tunnel that carries but has something wrong is worth a colour.
  const severity = standing.problem === undefined ? 'normal' : 'warning';
  const ready = { icon: 'flame', severity, action: 'selectModel' } as const;
  if (answered === undefined) {
    const only = models.length === 1 ? models[0]?.id : undefined;
    return { ...ready, text: (model === 'auto' ? only : undefined) ?? model, details: [t('Ready.')] };
  }

  const { backend, gpu, firstTokenMs, totalMs } = answered;
  const facts = [
    ...(gpu === undefined ? [] : [t('GPU: {0}', gpu)]),
    t('First token after {0} ms, whole answer after {1} ms.', Math.round(firstTokenMs), Math.round(totalMs)),
  ];
  if (answered.fallback)
    return warn(
      t('{0} → {1} (fallback)', answered.model, backend),
      t('The first choice for “{0}” can’t answer; {1} stands in for it.', answered.model, backend),
      ...facts,
    );
  const place = gpu ?? backend;
  return {
    ...ready,
    text: place === '' ? answered.model : `${answered.model} · ${place}`,
    details: [t('“{0}” was answered by {1}.', answered.model, backend || t('the bridge')), ...facts],
  };
}
