import { describe, expect, it } from 'vitest';
import { agreementOf, spearman, strongestCount, topOverlap } from './agreement';

const of = (...values: number[]) => Float32Array.of(...values);

describe('rank correlation', () => {
  it('is one for the same order and minus one for the opposite', () => {
    expect(spearman(of(1, 2, 30), of(-5, 0, 0.1))).toBeCloseTo(1);
    expect(spearman(of(1, 2, 30), of(3, 2, 1))).toBeCloseTo(-1);
  });

  it('is that of a textbook', () => {
    // 1 − 6 · Σd² / (n (n² − 1)) = 1 − 6 · 8 / (5 · 24)
    expect(spearman(of(1, 2, 3, 4, 5), of(2, 1, 5, 3, 4))).toBeCloseTo(0.6);
  });

  it('gives equal numbers their mean rank', () => {
    // ranks 1.5 1.5 3 4 and 1 2 3.5 3.5: covariance 4, variances 4.5 and 4.5
    expect(spearman(of(0, 0, 1, 2), of(1, 2, 3, 3))).toBeCloseTo(4 / 4.5);
  });

  it('is not known of constants, of what is not finite, or of other sizes', () => {
    expect(spearman(of(1, 1), of(1, 2))).toBeNaN();
    expect(spearman(of(1, Number.NaN), of(1, 2))).toBeNaN();
    expect(spearman(of(1, Number.NEGATIVE_INFINITY), of(1, 2))).toBeNaN();
    expect(spearman(of(1), of(1, 2))).toBeNaN();
    expect(spearman(of(), of())).toBeNaN();
  });
});

describe('agreement', () => {
  it('compares sizes where a side has no signs', () => {
    const [a, b] = [of(-4, 3, -2, 1), of(4, 3, 2, 1)];
    expect(agreementOf(a, b, false)?.correlation).toBeCloseTo(1);
    expect(agreementOf(a, b, true)?.correlation).toBeCloseTo(-0.4);
  });

  it('counts no zero among the strongest', () => {
    expect(agreementOf(of(1, 0, 0, 0, 0, 0), of(0, 0, 0, 0, 0, 1), true)?.overlap).toBe(0);
  });

  it('is not known where there is nothing to compare', () => {
    expect(agreementOf(of(0, 0), of(1, 2), true)).toBeNull();
  });

  it('looks at a tenth, or at five of few', () => {
    expect([3, 8, 49, 50, 50_176].map(strongestCount)).toEqual([2, 4, 5, 5, 5018]);
  });
});

describe('what the strongest have in common', () => {
  it('counts by size, whatever the sign', () => {
    expect(topOverlap(of(-9, 8, 1, 0), of(9, 0, 8, 1), 2)).toBe(0.5);
    expect(topOverlap(of(-9, 8, 1, 0), of(8, -9, 0, 1), 2)).toBe(1);
    expect(topOverlap(of(9, 8, 0, 0), of(0, 0, 9, 8), 2)).toBe(0);
  });

  it('shares the last places among equal ones', () => {
    expect(topOverlap(of(9, 1, 1, 0), of(9, 1, 1, 0), 2)).toBe(1);
    expect(topOverlap(of(9, 1, 1, 0), of(9, 2, 0, 0), 2)).toBe(0.75);
  });
});
