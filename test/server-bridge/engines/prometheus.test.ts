import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  prometheusSamples,
  type Sample,
  Scrape,
} from '../../../server-bridge/src/backends/engines/prometheus.ts';

const name = fc.stringMatching(/^[A-Za-z_:][\w:]{0,20}$/);
const label = fc.stringMatching(/^[A-Za-z_]\w{0,10}$/).filter((text) => text !== '__proto__');
const value = fc.oneof(fc.double(), fc.constantFrom(NaN, Infinity, -Infinity, 0, 1e6, -1e-7));
const sample = fc.record({ name, labels: fc.dictionary(label, fc.string(), { maxKeys: 4 }), value });

const written = (number: number): string =>
  Number.isFinite(number)
    ? String(number)
    : String(number).replace('Infinity', 'Inf').replace(/^Inf/, '+Inf');
const escaped = (text: string): string =>
  text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function line({ name, labels, value }: Sample, space: string): string {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
  return `${name}${pairs.length > 0 ? `{${pairs.join(`,${space}`)}}` : ''} ${written(value)}`;
}

describe("engines: Prometheus' text format", () => {
  it('is read as it was written, whatever its labels hold and however its lines end', () => {
    const ending = fc.constantFrom('\n', '\r\n', ' 1395066363000\n', '\n\n# HELP a b\n# TYPE a counter\n');
    fc.assert(
      fc.property(fc.array(sample), ending, fc.constantFrom('', ' '), (samples, end, space) => {
        const text = samples.map((one) => line(one, space) + end).join('');
        const plain = samples.map(({ name, labels, value }) => ({
          name,
          labels: { ...labels },
          // Text has no negative zero that a reader would have to keep.
          value: value === 0 ? 0 : value,
        }));
        assert.deepEqual([...prometheusSamples(text)], plain);
      }),
    );
  });

  it('may be anything at all', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string()), (text) => {
        for (const { name, value } of prometheusSamples(`${text}\nup 1`)) {
          assert.equal(typeof value, 'number');
          assert.notEqual(name, '');
        }
      }),
    );
  });

  it('loses only the lines that are wrong', () => {
    const text = [
      'up',
      'up one',
      'up 1 2 3x',
      'up{a="b" 1',
      'up{a=b} 1',
      'up{a="b"} ',
      'up{a="it ends never} 1',
      '<html>404</html>',
      '{"error":{"code":501}}',
      'up{} 2',
      'up{a="x,}\\"",} 3 # {trace_id="x"} 0.5',
    ];
    assert.deepEqual(
      [...prometheusSamples(text.join('\n'))].map(({ value }) => value),
      [1, 2, 3],
    );
  });

  it('takes as long as it is, not longer', () => {
    const size = 4 << 20;
    for (const text of [
      'a'.repeat(size),
      `a{${'b="\\'.repeat(size / 4)}`,
      `a{${'b="c",'.repeat(size / 6)}`,
      '\n'.repeat(size),
    ]) {
      const started = performance.now();
      for (const _ of prometheusSamples(text));
      assert.ok(performance.now() - started < 3_000, text.slice(0, 8));
    }
  });

  it('sums over labels and leaves out what is no number', () => {
    const scrape = new Scrape('r{engine="0"} 2\nr{engine="1"} 1.5e+01\nr{engine="2"} NaN\nn +Inf\n');
    assert.equal(scrape.sum('r'), 17);
    assert.equal(scrape.greatest('r'), 15);
    assert.equal(scrape.sum('n'), undefined);
    assert.equal(scrape.sum('none'), undefined);
  });
});
