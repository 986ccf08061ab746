/** What the status bar says and does in each state: pure, so that every state can be read, translated and tested. */
import type { AgentStatus } from '@hearth/protocol';
import type { Standing } from '../connection/standing.ts';
import { faultWords } from '../words/fault-words.ts';
import { problemWords } from '../words/problem-words.ts';
import type { Translate } from '../words/translate.ts';
import { readyText } from './ready-text.ts';

export type StatusText = {
  /** A codicon's name, and the words beside it. */
  icon: string;
  text: string;
  severity: 'normal' | 'warning' | 'error';
  /** What a click does: the thing that helps in this state. */
  action: 'connect' | 'selectModel' | 'setApiKey' | 'showLog' | 'toggleCompletions' | 'setUp';
  /** Plain lines for the tooltip; the first says the state in a sentence. */
  details: string[];
};

export type View = {
  standing: Standing;
  agent: AgentStatus | undefined;
  /** Whether completions are switched on. */
  enabled: boolean;
  /** The model setting. */
  model: string;
};

export function statusText(view: View, t: Translate): StatusText {
  const { standing } = view;
  const status = standingText(view, t);
  const problem = 'problem' in standing ? standing.problem : undefined;
  const details = problem === undefined ? status.details : [...status.details, ...problemWords(problem, t)];
  if (view.enabled || standing.kind !== 'ready') return { ...status, details };
  return {
    icon: 'circle-slash',
    text: t('completions off'),
    severity: 'normal',
    action: 'toggleCompletions',
    details: [t('Completions are switched off. Click to switch them on.'), ...details],
  };
}

function standingText({ standing, agent, model }: View, t: Translate): StatusText {
  switch (standing.kind) {
    case 'nowhere':
      return {
        icon: 'circle-slash',
        text: t('not set up'),
        severity: 'warning',
        action: 'setUp',
        details: [
          agent === undefined
            ? t('No agent is running here and no bridge address is set.')
            : t('The agent on this computer is not enrolled, and no bridge address is set.'),
        ],
      };
    case 'tunnelOff':
      return tunnelOff(standing.why, t);
    case 'connecting':
      return {
        icon: 'sync~spin',
        text: standing.again ? t('reconnecting…') : t('connecting…'),
        severity: standing.again ? 'warning' : 'normal',
        action: 'showLog',
        details: [
          standing.again
            ? t('The tunnel has stopped carrying; the agent is bringing it back.')
            : standing.to === 'bridge'
              ? t('Looking for the bridge.')
              : t('Waiting for the tunnel.'),
        ],
      };
    case 'unauthorised':
      return standing.via === 'agent'
        ? {
            icon: 'key',
            text: t('access refused'),
            severity: 'error',
            action: 'showLog',
            details: [t('The bridge refuses the agent’s token.')],
          }
        : {
            icon: 'key',
            text: t('key needed'),
            severity: 'error',
            action: 'setApiKey',
            details: [t('The bridge wants an API key. Click to set it.')],
          };
    case 'unreachable':
      return {
        icon: 'error',
        text: t('bridge unreachable'),
        severity: 'error',
        action: 'connect',
        details: [
          t('The bridge does not answer. Click to try again.'),
          faultWords(standing, t),
          ...notEnrolled(agent, t),
        ],
      };
    case 'notABridge':
      return {
        icon: 'error',
        text: t('not a Hearth bridge'),
        severity: 'error',
        action: standing.via === 'direct' ? 'setUp' : 'connect',
        details: [faultWords(standing, t), ...notEnrolled(agent, t)],
      };
    case 'ready':
      return readyText(standing, model, t);
  }
}

function notEnrolled(agent: AgentStatus | undefined, t: Translate): string[] {
  return agent?.state === 'unenrolled' ? [t('The agent on this computer is not enrolled.')] : [];
}

type Off = Extract<Standing, { kind: 'tunnelOff' }>['why'];

function tunnelOff(why: Off, t: Translate): StatusText {
  switch (why) {
    case 'disconnected':
      return {
        icon: 'debug-disconnect',
        text: t('tunnel off'),
        severity: 'warning',
        action: 'connect',
        details: [t('The tunnel to the server is down. Click to connect.')],
      };
    case 'revoked':
      return {
        icon: 'error',
        text: t('device revoked'),
        severity: 'error',
        action: 'showLog',
        details: [t('The server no longer accepts this device.')],
      };
    case 'silent':
      return {
        icon: 'warning',
        text: t('tunnel silent'),
        severity: 'warning',
        action: 'showLog',
        details: [t('The tunnel is up but carries nothing; the agent tries to mend it.')],
      };
    case 'agentStopped':
      return {
        icon: 'debug-disconnect',
        text: t('agent stopped'),
        severity: 'warning',
        action: 'showLog',
        details: [t('The agent has stopped. Hearth goes on by itself when it is back.')],
      };
  }
}
