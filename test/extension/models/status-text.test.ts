import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import type { Standing } from '../../../extension/src/connection/standing.ts';
import { statusText } from '../../../extension/src/models/status-text.ts';
import type { Translate } from '../../../extension/src/words/translate.ts';
import { FakeAgent } from '../fakes/fake-agent.ts';
import { model } from '../fakes/fake-bridge.ts';

const t: Translate = (message, ...values) =>
  message.replaceAll(/\{(\d)\}/g, (_, index: string) => String(values[Number(index)]));

const view = (standing: Standing, more: { enabled?: boolean; model?: string } = {}) =>
  statusText({ standing, agent: undefined, enabled: true, model: 'auto', ...more }, t);

const answered = {
  asked: 'auto',
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

const embed = model('embed');
const embedding = { ...embed, hearth: { ...embed.hearth, roles: ['embedding' as const] } };

/** [state, words, severity, what a click does] */
const STATES: [Standing, string, string, string][] = [
  [{ kind: 'nowhere' }, 'not set up', 'warning', 'setUp'],
  [{ kind: 'tunnelOff', why: 'disconnected' }, 'tunnel off', 'warning', 'connect'],
  [{ kind: 'tunnelOff', why: 'revoked' }, 'device revoked', 'error', 'showLog'],
  [{ kind: 'tunnelOff', why: 'agentStopped' }, 'agent stopped', 'warning', 'showLog'],
  [{ kind: 'connecting', to: 'tunnel', again: false }, 'connecting…', 'normal', 'showLog'],
  [{ kind: 'connecting', to: 'tunnel', again: true }, 'reconnecting…', 'warning', 'showLog'],
  [
    { kind: 'unauthorised', via: 'direct', code: 'network', message: 'm' },
    'key needed',
    'error',
    'setApiKey',
  ],
  [
    { kind: 'unauthorised', via: 'agent', code: 'network', message: 'm' },
    'access refused',
    'error',
    'showLog',
  ],
  [
    { kind: 'unreachable', via: 'agent', code: 'network', message: 'm' },
    'bridge unreachable',
    'error',
    'connect',
  ],
  [
    { kind: 'notABridge', via: 'direct', code: 'not_a_bridge', message: 'm' },
    'not a Hearth bridge',
    'error',
    'setUp',
  ],
  [{ kind: 'tunnelOff', why: 'silent' }, 'tunnel silent', 'warning', 'showLog'],
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
  [
    { ...ready, answered, trouble: { code: 'queue_full', message: 'm', asked: 'auto' } },
    'no answer',
    'warning',
    'selectModel',
  ],
  [{ ...ready, models: [model('coder', 'down')] }, 'no model is up', 'warning', 'selectModel'],
  [{ ...ready, models: [model('coder', 'down'), embedding] }, 'no model is up', 'warning', 'selectModel'],
  [{ ...ready, models: [] }, 'no model is up', 'warning', 'selectModel'],
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

  it('says that a chosen model isn’t there, or not for completions', () => {
    assert.equal(view(ready, { model: 'gone' }).text, 'no such model');
    assert.equal(
      view({ ...ready, models: [model('coder'), embedding] }, { model: 'embed' }).text,
      'no such model',
    );
    const trouble = { code: 'model_not_found', message: 'm', asked: 'gone' };
    assert.equal(view({ ...ready, trouble }, { model: 'gone' }).text, 'no such model');
  });

  it('knows a pinned backend', () => {
    assert.equal(view(ready, { model: 'coder-rtx' }).text, 'coder-rtx');
    const pinned = { ...answered, backend: 'light-amd', asked: 'light-amd' };
    assert.equal(view({ ...ready, answered: pinned }, { model: 'light-amd' }).text, 'coder · rtx6000');
  });

  it('says that the chosen model is down, though another is up', () => {
    const models = [model('coder', 'down'), model('small')];
    assert.equal(view({ ...ready, models }, { model: 'coder' }).text, 'coder is down');
    assert.equal(view({ ...ready, models }, { model: 'small' }).severity, 'normal');
  });

  it('says of the chosen model that the fallback would answer, before it does', () => {
    const models = [model('coder', 'fallback'), model('small')];
    assert.equal(view({ ...ready, models }, { model: 'coder' }).text, 'coder → coder-rtx (fallback)');
  });

  it('says nothing of another model once one is chosen', () => {
    const old = { ...answered, fallback: true };
    const trouble = { code: 'queue_full', message: 'm', asked: 'auto' };
    assert.equal(view({ ...ready, answered: old, trouble }, { model: 'small' }).text, 'small');
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

  it('doesn’t say that there is no agent when there is one', () => {
    const agent = new FakeAgent();
    agent.state = 'unenrolled';
    const status = statusText(
      { standing: { kind: 'nowhere' }, agent: agent.status(), enabled: true, model: 'auto' },
      t,
    );
    rmSync(agent.folder, { recursive: true });
    assert.ok(!/No agent/.test(status.details.join('\n')));
  });
});
