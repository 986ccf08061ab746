import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { ERROR_STATUS, errorEnvelope, HearthError, toEnvelope, type ErrorCode } from '@hearth/protocol';

describe('errors', () => {
  it('have the codes and statuses that the documentation lists, no more and no fewer', () => {
    const page = readFileSync(new URL('../../server-bridge/README.md', import.meta.url), 'utf8');
    const documented = Object.fromEntries(
      Array.from(page.matchAll(/^\| `([a-z_]+)` +\| (\d{3}) +\|/gm), ([, code, status]) => [
        code,
        Number(status),
      ]),
    );
    assert.deepEqual(documented, ERROR_STATUS);
  });

  it('fit the envelope, whatever was thrown, and tell nothing of what was not meant to be told', () => {
    for (const code of Object.keys(ERROR_STATUS) as ErrorCode[]) {
      const { status, body } = toEnvelope(new HearthError(code, 'why', { param: 'field' }), 'req_1');
      assert.equal(status, ERROR_STATUS[code]);
      assert.deepEqual(errorEnvelope.parse(body), body);
    }
    const { status, body } = toEnvelope(new Error('ENOENT /home/ann/.ssh/id_ed25519'), 'req_2');
    assert.equal(status, 500);
    assert.equal(body.error.code, 'internal');
    assert.ok(!JSON.stringify(body).includes('/home'));
  });
});
