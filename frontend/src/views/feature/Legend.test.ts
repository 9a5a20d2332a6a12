import { describe, expect, it } from 'vitest';
import { shownRange } from './Legend';

describe('the range of the legend', () => {
  const extent = (minimum: number, maximum = 0.4) => ({ minimum, maximum });

  it('reaches as far as there are values', () => {
    expect(shownRange(extent(-0.2), 'both')).toEqual([-1, 1]);
    expect(shownRange(extent(0), 'both')).toEqual([0, 1]);
    expect(shownRange(extent(-0.2, 0), 'both')).toEqual([-1, 0]);
    expect(shownRange(extent(-0.2), 'absolute')).toEqual([0, 1]);
    expect(shownRange(extent(-0.2), 'positive')).toEqual([0, 1]);
    expect(shownRange(extent(-0.2), 'negative')).toEqual([-1, 0]);
  });

  it('shows no values that do not exist', () => {
    expect(shownRange(extent(0), 'negative')).toEqual([0, 0]);
    expect(shownRange(extent(-0.2, 0), 'positive')).toEqual([0, 0]);
    expect(shownRange(extent(0, 0), 'both')).toEqual([0, 0]);
  });
});
