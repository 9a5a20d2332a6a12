import { describe, expect, it } from 'vitest';
import { withoutPadding } from './padding';

describe('padding', () => {
  it.each([
    [
      ['a', 'film', '[PAD]', '[PAD]'],
      [0, 2],
    ],
    [
      ['<pad>', '<pad>', 'a', 'film'],
      [2, 4],
    ],
    [
      ['<|pad|>', 'a', '<|pad|>'],
      [1, 2],
    ],
    [
      ['is', 'it', '·', '·', '·', '·'],
      [0, 2],
    ],
  ])('is what fills %j before and after', (tokens, range) => expect(withoutPadding(tokens)).toEqual(range));

  it.each([
    [['wait', '.', '.']], // few
    [['pad', 'the', 'pad']], // words
    [['a', '[PAD]', 'film']], // in between
    [['no', 'no', 'no', 'no']],
    [['[PAD]', '[PAD]']], // nothing else
    [[]],
  ])('is not in %j', (tokens) => expect(withoutPadding(tokens)).toEqual([0, tokens.length]));
});
