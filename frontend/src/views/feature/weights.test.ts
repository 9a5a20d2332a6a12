import { describe, expect, it } from 'vitest';
import { unnamed } from './weights';

describe('words and weights', () => {
  it('says nothing where there are as many', () => {
    expect(unnamed(2, [0.5, null])).toBeNull();
  });

  it('says how much of the attribution has no word', () => {
    expect(unnamed(1, [0.6, -0.3, 0.1])).toBe(
      '2 tokens after these without a word: 40.0 % of the attribution.',
    );
    expect(unnamed(2, [0.5, 0.5, 0])).toBe('1 token after these without a word: 0.0 % of the attribution.');
  });

  it('says that there are more words', () => {
    expect(unnamed(3, [1, 2])).toBe('3 words for 2 tokens: they may not belong together.');
  });
});
