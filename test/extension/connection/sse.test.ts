import assert from 'node:assert/strict';
import fc from 'fast-check';
import { sseParser } from '../../../extension/src/connection/sse.ts';

const STREAM =
  ': hello\r\n\r\ndata: {"a":1}\r\ndata: 2\r\n\r\nevent: x\ndata:two\ndata: lines\n\n:\n\ndata: last\r\rrest';
const EVENTS = ['{"a":1}\n2', 'two\nlines', 'last'];

describe('connection: server-sent events', () => {
  it('come out the same however the text is cut (property)', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(STREAM.length), { maxLength: 20 }), (cuts) => {
        const parse = sseParser();
        const places = [0, ...cuts.toSorted((a, b) => a - b), STREAM.length];
        const events = places.slice(1).flatMap((end, index) => parse(STREAM.slice(places[index], end)));
        assert.deepEqual(events, EVENTS);
      }),
    );
  });

  it('are held back until they are whole', () => {
    const parse = sseParser();
    assert.deepEqual(parse('data: x\n'), []);
    assert.deepEqual(parse('\n'), ['x']);
  });
});
