import { describe, expect, it } from 'vitest';
import { shownRange } from './Legend';

describe('the range of the legend', () => {
  it('reaches as far as the values can', () => {
    const map = (minimum: number, reduction: 'sum' | 'magnitude' = 'sum') => ({ minimum, reduction });
    expect(shownRange(map(-0.2), 'both')).toEqual([-1, 1]);
    expect(shownRange(map(0), 'both')).toEqual([0, 1]);
    expect(shownRange(map(-0.2, 'magnitude'), 'both')).toEqual([0, 1]);
    expect(shownRange(map(0), 'negative')).toEqual([-1, 0]);
    expect(shownRange(map(-0.2), 'positive')).toEqual([0, 1]);
  });
});
