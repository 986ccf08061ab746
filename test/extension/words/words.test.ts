import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { errorCode } from '@hearth/protocol';
import { faultWords } from '../../../extension/src/words/fault-words.ts';
import { problemWords } from '../../../extension/src/words/problem-words.ts';
import type { Translate } from '../../../extension/src/words/translate.ts';

const bundle = JSON.parse(
  readFileSync(new URL('../../../l10n/bundle.l10n.ru.json', import.meta.url), 'utf8'),
) as Record<string, string>;
const russian: Translate = (message, ...values) =>
  (bundle[message] ?? message).replaceAll(/\{(\d)\}/g, (_, index: string) => String(values[Number(index)]));

const words = (text: string) => text.trim().split(/\s+/);

/** Codes of the extension's own. */
const OWN = words(
  `timeout network not_a_bridge nowhere agent_absent agent_timeout agent_unclear agent_failed`,
);
/** Codes that say what a program did wrong: theirs are the sender's words. */
const TECHNICAL = new Set<string>(['invalid_request', 'not_found', 'superseded']);

/** Problems that the agent names. */
const PROBLEMS = words(`
  no_handshake tunnel_silent bridge_outside_tunnel bridge_unreachable interface_lost
  profile_mode profile_unreadable profile_owner profile_not_a_file profile_invalid
  program_missing not_permitted interface_exists route_exists endpoint_unresolved timeout command_failed internal
`);

describe('words: faults and problems', () => {
  for (const code of [...OWN, ...errorCode.options].filter((one) => !TECHNICAL.has(one)))
    it(`of ${code} are in the user’s language`, () =>
      assert.match(faultWords({ code, message: 'English' }, russian), /[а-я]{3}/));

  for (const code of PROBLEMS)
    it(`of the agent’s ${code} too, with what to do`, () => {
      const lines = problemWords({ code, message: 'English', fix: 'chmod 600 x' }, russian);
      assert.ok(lines.length >= 2);
      for (const line of lines) assert.match(line, /[а-я]{3}/);
    });

  it('of an unknown code are the sender’s', () => {
    assert.equal(faultWords({ code: 'new', message: 'Something new.' }, russian), 'Something new.');
    assert.deepEqual(problemWords({ code: 'new', message: 'm', fix: 'f' }, russian), ['m', 'f']);
  });
});
