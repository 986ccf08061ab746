/** What went wrong, in the user's language: found by the fault's code, since its message is English and for the log. Pure. */
import type { Fault } from '../connection/fault.ts';
import type { Translate } from './translate.ts';

/** The words of a code that isn't known here are the sender's own. */
export function faultWords({ code, message }: Fault, t: Translate): string {
  switch (code) {
    case 'timeout':
      return t('No answer came in time.');
    case 'network':
      return t('No connection: {0}', message);
    case 'not_a_bridge':
      return t('Something answers at this address, but it is not a Hearth bridge.');
    case 'nowhere':
      return t('No agent is running here and no bridge address is set.');
    case 'agent_absent':
      return t('The agent is not running.');
    case 'agent_timeout':
      return t('The agent does not answer.');
    case 'agent_unclear':
      return t('The agent’s answer is not understood. Agent and extension may be of different versions.');
    case 'agent_failed':
      return t('The agent could not be asked: {0}', message);
    default:
      return refusalWords(code, message, t);
  }
}

/** Codes of the contract, from bridge and agent. */
function refusalWords(code: string, message: string, t: Translate): string {
  switch (code) {
    case 'invalid_api_key':
      return t('The key is not accepted.');
    case 'forbidden':
      return t('The key does not allow this.');
    case 'not_enrolled':
      return t('The agent on this computer is not enrolled.');
    case 'not_connected':
      return t('The tunnel is not connected.');
    case 'model_not_found':
      return t('The bridge does not have this model.');
    case 'no_backend':
      return t('No server can answer now: {0}', message);
    case 'queue_full':
      return t('Too many requests are waiting on the bridge.');
    case 'rate_limited':
      return t('More requests than the key allows at a time.');
    case 'busy':
      return t('The bridge is changing models already; try again when that is done.');
    case 'draining':
      return t('It is shutting down.');
    case 'backend_lost':
      return t('The answer broke off before its end.');
    case 'backend_timeout':
      return t('The server behind the bridge did not answer in time.');
    case 'context_too_long':
    case 'body_too_large':
      return t('The text around the cursor is too long for the model.');
    case 'audit_unavailable':
      return t('The bridge can’t write its audit trail, and answers nothing until it can.');
    case 'internal':
      return t('Something failed on the other side; its log tells what.');
    default:
      return message;
  }
}
