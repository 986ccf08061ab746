import assert from 'node:assert/strict';
import fc from 'fast-check';
import { TokenRate } from '../../server-bridge/src/models/token-budget.ts';

const bytes = fc.integer({ min: 256, max: 1_000_000 });
const rate = fc.double({ min: 0.6, max: 11, noNaN: true });

function learnt(start: number, prompts: readonly (readonly [number, number])[]): number {
  const tokens = new TokenRate(start);
  for (const [length, perToken] of prompts) tokens.learn(length, length / perToken);
  return tokens.bytesPerToken;
}

describe("bytes a token, learnt from a backend's replies", () => {
  it('is three at first, or what the engine has measured', () => {
    assert.equal(new TokenRate().bytesPerToken, 3);
    assert.equal(new TokenRate(1).bytesPerToken, 1);
  });

  it('goes down at once and up only when it has seen enough', () => {
    const tokens = new TokenRate();
    tokens.learn(1_000, 1_000);
    assert.ok(tokens.bytesPerToken < 1);
    const coder = new TokenRate();
    for (let count = 1; count <= 8; count += 1) {
      assert.equal(coder.bytesPerToken, 3);
      coder.learn(42_000, 10_000);
    }
    assert.ok(coder.bytesPerToken > 3.9 && coder.bytesPerToken < 4.2);
  });

  it('comes close to what is always so, and never above it', () => {
    fc.assert(
      fc.property(rate, bytes, fc.integer({ min: 8, max: 300 }), (perToken, length, count) => {
        const found = learnt(
          3,
          Array.from({ length: count }, () => [length, perToken] as const),
        );
        assert.ok(found < perToken && found > perToken * 0.94, String(found));
      }),
    );
  });

  it('stays below nineteen of twenty of the latest texts', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(bytes, rate), { minLength: 1, maxLength: 200 }), (prompts) => {
        const latest = prompts.slice(-64).map(([, perToken]) => perToken);
        const found = learnt(3, prompts);
        const below = latest.filter((perToken) => perToken < found).length;
        assert.ok(below <= latest.length * 0.05, `${below} of ${latest.length}`);
        // One odd text doesn't shrink everybody's context for long.
        assert.ok(found >= Math.min(...latest, 3) * 0.94);
      }),
    );
  });

  it('forgets what it saw long ago', () => {
    const dense = Array.from({ length: 64 }, () => [5_000, 1] as const);
    const plain = Array.from({ length: 64 }, () => [5_000, 4] as const);
    assert.equal(learnt(3, [...dense, ...plain]), learnt(3, plain));
  });

  it('passes over what cannot be', () => {
    const tokens = new TokenRate();
    const nonsense = fc.oneof(
      fc.tuple(fc.double(), fc.constantFrom(0, -1, NaN, Infinity, 1e-9)),
      fc.tuple(fc.constantFrom(0, -5, NaN, Infinity, 255), fc.double()),
      fc.tuple(fc.constant(100_000), fc.constantFrom(1, 900_000)),
    );
    fc.assert(
      fc.property(nonsense, ([length, count]) => {
        tokens.learn(length, count);
        assert.equal(tokens.bytesPerToken, 3);
      }),
    );
  });
});
