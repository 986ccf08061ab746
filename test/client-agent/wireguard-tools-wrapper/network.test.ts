/** Networks and addresses within them, in every spelling that the schema lets through. */
import assert from 'node:assert/strict';
import { isNetwork } from 'wireguard-tools-wrapper/network';

describe('network', () => {
  for (const text of ['10.77.0.0/24', '10.77.0.1/32', '10.77.0.128/25', '128.0.0.0/1', 'fd00:77::/64'])
    it(`${text} is one`, () => assert.ok(isNetwork(text)));
  for (const text of ['::2/127', '::/1', '::ffff:10.0.0.0/104', '1:2:3:4:5:6:7:8/128'])
    it(`${text} is one`, () => assert.ok(isNetwork(text)));
  for (const text of ['10.77.0.1/24', '10.77.0.64/25', '192.0.0.0/1', 'fd00:77::1/64', '::1/127'])
    it(`${text} lies within one`, () => assert.ok(!isNetwork(text)));
  for (const text of ['::ffff:10.0.0.1/104', '1:2:3:4:5:6:7:8/112'])
    it(`${text} lies within one`, () => assert.ok(!isNetwork(text)));
});
