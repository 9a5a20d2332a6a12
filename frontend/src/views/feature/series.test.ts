import { describe, expect, it } from 'vitest';
import { isSeries, limits, linePath } from './series';

const named = (name: (i: number) => string, length = 30) => Array.from({ length }, (_, i) => name(i));

describe('a series', () => {
  it('has names that count on', () => {
    expect(isSeries(named((i) => `${i}`))).toBe(true);
    expect(isSeries(named((i) => `t${i + 5}`))).toBe(true);
    expect(isSeries(named((i) => `t=${i - 3}`))).toBe(true);
    expect(isSeries(named((i) => `Day ${i}`))).toBe(true);
    expect(isSeries(named((i) => `${(i * 0.1).toFixed(1)} s`))).toBe(true);
  });

  it('is not a table', () => {
    expect(isSeries(named((i) => `t${i}`, 3))).toBe(false);
    expect(isSeries(named((i) => `x${i}`))).toBe(false);
    expect(isSeries(named((i) => `probe_${i}_at`))).toBe(false);
    expect(isSeries(named((i) => `column ${i % 7}`))).toBe(false);
    expect(isSeries(named((i) => (i === 4 ? 'fare' : `${i}`)))).toBe(false);
    expect(isSeries(named((i) => `a${i % 2}_${i}`))).toBe(false);
  });

  it('is drawn from its lowest to its highest value, with gaps', () => {
    expect(linePath([0, 2, null, 1])).toBe('M0.5 1L1.5 0M3.5 0.5');
    expect(limits([null, 3, -1])).toEqual([-1, 3]);
    expect(limits([null])).toEqual([0, 0]);
  });
});
