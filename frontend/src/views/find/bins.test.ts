import { describe, expect, it } from 'vitest';
import type { Histogram } from '../../api/schema';
import { chosenBins, scoresOf } from './bins';

const QUARTERS: Histogram = {
  low: -1,
  high: 3,
  correct: [1, 0, 2, 0],
  incorrect: [0, 0, 0, 0],
  unlabelled: [0, 0, 0, 1],
};

describe('a range of scores', () => {
  it.each([
    [0, 4, null, null],
    [0, 1, null, 0],
    [1, 3, 0, 2],
    [3, 4, 2, null],
  ])('covers the bins from %i to before %i', (first, end, above, below) => {
    expect(scoresOf(QUARTERS, first, end)).toEqual({ above, below });
    expect(chosenBins(QUARTERS, above, below)).toEqual([first, end]);
  });

  it('that lies beside all scores covers no bin', () => {
    expect(chosenBins(QUARTERS, 9, 12)).toEqual([4, 4]);
  });
});
