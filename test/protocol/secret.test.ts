import assert from 'node:assert/strict';
import { format, inspect } from 'node:util';
import { Secret } from '@hearth/protocol';
import { pino } from 'pino';

describe('Secret', () => {
  it('shows nothing of itself, whichever way it is printed, and gives its value when asked', () => {
    const secret = new Secret('hunter2');
    const lines: string[] = [];
    const log = pino({}, { write: (line: string) => void lines.push(line) });
    log.info({ secret, nested: { secret } }, 'a %s and a %o', secret, { secret });
    const printed = [
      String(secret),
      JSON.stringify({ secret }),
      inspect({ secret }, { showHidden: true, depth: 9 }),
      format('%s %o %j', secret, secret, secret),
      Object.values(secret).join(''),
      ...lines,
    ].join('\n');
    assert.ok(!printed.includes('hunter2'), printed);
    assert.equal(secret.reveal(), 'hunter2');
  });
});
