import assert from 'node:assert/strict';
import type { Standing } from '../../../extension/src/connection/standing.ts';
import { statusText } from '../../../extension/src/models/status-text.ts';
import type { Translate } from '../../../extension/src/models/status-text.ts';
import { model } from '../fakes/fake-bridge.ts';

const t: Translate = (message, ...values) =>
  message.replaceAll(/\{(\d)\}/g, (_, index: string) => String(values[Number(index)]));

const view = (standing: Standing, more: { enabled?: boolean; model?: string } = {}) =>
  statusText({ standing, agent: undefined, enabled: true, model: 'auto', ...more }, t);

const answered = {
  model: 'coder',
  backend: 'coder-rtx',
  gpu: 'rtx6000',
  fallback: false,
  firstTokenMs: 41.7,
  totalMs: 120.2,
};
const ready: Extract<Standing, { kind: 'ready' }> = {
  kind: 'ready',
  via: 'direct',
  models: [model('coder'), model('small')],
};

/** [state, words, severity, what a click does] */
const STATES: [Standing, string, string, string][] = [
  [{ kind: 'nowhere' }, 'not set up', 'warning', 'setUp'],
  [{ kind: 'tunnelOff', why: 'disconnected' }, 'tunnel off', 'warning', 'connect'],
  [{ kind: 'tunnelOff', why: 'revoked' }, 'device revoked', 'error', 'showLog'],
  [{ kind: 'tunnelOff', why: 'agentStopped' }, 'agent stopped', 'warning', 'showLog'],
  [{ kind: 'connecting', to: 'tunnel', again: false }, 'connecting…', 'normal', 'showLog'],
  [{ kind: 'connecting', to: 'tunnel', again: true }, 'reconnecting…', 'warning', 'showLog'],
  [{ kind: 'unauthorised', via: 'direct', message: 'm' }, 'key needed', 'error', 'setApiKey'],
  [{ kind: 'unauthorised', via: 'agent', message: 'm' }, 'access refused', 'error', 'showLog'],
  [{ kind: 'unreachable', via: 'agent', message: 'm' }, 'bridge unreachable', 'error', 'connect'],
  [ready, 'auto', 'normal', 'selectModel'],
  [{ ...ready, models: [model('coder')] }, 'coder', 'normal', 'selectModel'],
  [{ ...ready, answered }, 'coder · rtx6000', 'normal', 'selectModel'],
  [{ ...ready, answered: { ...answered, gpu: undefined } }, 'coder · coder-rtx', 'normal', 'selectModel'],
  [
    { ...ready, answered: { ...answered, backend: 'light-amd', fallback: true } },
    'coder → light-amd (fallback)',
    'warning',
    'selectModel',
  ],
  [{ ...ready, answered, trouble: 'queue full' }, 'no answer', 'warning', 'selectModel'],
  [{ ...ready, models: [model('coder', 'down')] }, 'no model is up', 'warning', 'selectModel'],
];

describe('models: status bar', () => {
  for (const [standing, text, severity, action] of STATES)
    it(`says “${text}” (${standing.kind})`, () => {
      const status = view(standing);
      assert.deepEqual([status.text, status.severity, status.action], [text, severity, action]);
      assert.ok(status.details.every((line) => line !== ''));
    });

  it('tells how long the last answer took, and on which GPU', () => {
    const details = view({ ...ready, answered }).details.join('\n');
    assert.match(details, /42 ms.*120 ms/);
    assert.match(details, /rtx6000/);
  });

  it('says that a chosen model isn’t there', () => {
    assert.equal(view(ready, { model: 'gone' }).text, 'no such model');
  });

  it('says that completions are off, but troubles come first', () => {
    assert.equal(view(ready, { enabled: false }).action, 'toggleCompletions');
    assert.equal(view({ kind: 'nowhere' }, { enabled: false }).text, 'not set up');
  });

  it('gives the agent’s own words on a problem, and what to do', () => {
    const problem = { code: 'x', message: 'UDP is blocked.', fix: 'Ask your network.' };
    const details = view({ kind: 'tunnelOff', why: 'disconnected', problem }).details;
    assert.deepEqual(details.slice(1), [problem.message, problem.fix]);
  });
});
