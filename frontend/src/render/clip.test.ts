import { describe, expect, it } from 'vitest';
import { clippingRule } from '../views/feature/Legend';
import { clipBound, clippedShare } from './clip';

const hundred = Float32Array.from({ length: 100 }, (_, i) => (i % 2 ? -1 : 1) * (i + 1));

describe('clipping', () => {
  it('takes the percentile of |a| by nearest rank', () => {
    expect(clipBound(hundred, 99)).toBe(99);
    expect(clipBound(hundred, 50)).toBe(50);
    expect(clipBound(hundred, 100)).toBe(100);
  });

  it('counts only what lies strictly beyond the bound', () => {
    expect(clippedShare(hundred, 99)).toBe(0.01);
    expect(clippedShare(hundred, 100)).toBe(0);
  });

  it('leaves non-finite values out', () => {
    const values = Float32Array.of(Number.NaN, 1, Number.POSITIVE_INFINITY, -3);
    expect(clipBound(values, 100)).toBe(3);
    expect(clippedShare(values, 1)).toBe(0.5);
  });

  it('falls back to the largest value where the percentile is zero, and to zero where nothing is finite', () => {
    expect(clipBound(Float32Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, -7), 90)).toBe(7);
    expect(clipBound(Float32Array.of(Number.NaN), 99)).toBe(0);
  });

  it('is said in words', () => {
    const rule = (bound: number, clip: number, scale: 'image' | 'shared' = 'image') =>
      clippingRule(hundred, bound, { clip, scale });
    expect(rule(99, 99)).toBe('Values beyond ±99.0 (99th percentile of |a|) are clipped: 1.0 %.');
    expect(rule(100, 100)).toBe('Colours reach ±100.0 (the largest |a|); nothing is clipped.');
    expect(rule(50, 92, 'shared')).toBe(
      'Values beyond ±50.0 (92nd percentile of |a|, largest on screen) are clipped: 50.0 %.',
    );
    expect(rule(0, 99)).toBe('Every value is zero.');
    expect(clippingRule(hundred, 99, { clip: 99, scale: 'image' }, true)).toMatch(/^Values beyond 99\.0 /);
  });
});
