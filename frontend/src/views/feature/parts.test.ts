import { describe, expect, it } from 'vitest';
import { kindsOf, readAs } from './parts';

const tokens = '[CLS] mov ##ing . Fun [SEP]'.split(' ');

describe('a text in parts', () => {
  it('sums what the tokens of a part weigh', () => {
    const { parts, weights, noun } = readAs('words', tokens, [1, 2, -5, 0.5, null, 4]);
    expect(parts.map(({ text }) => text)).toEqual(['[CLS]', 'moving', '.', 'Fun', '[SEP]']);
    expect(weights).toEqual([1, -3, 0.5, null, 4]);
    expect(noun).toBe('word');
    expect(readAs('sentences', tokens, [1, 2, -5, 0.5, null, 4]).weights).toEqual([1, -2.5, null, 4]);
  });

  it('is read by its tokens where weights and tokens are not as many', () => {
    const { parts, weights, noun } = readAs('words', tokens, [1, 2]);
    expect([parts.length, weights, noun]).toEqual([6, [1, 2], 'token']);
  });

  it('has words without weights before there are any', () => {
    const { parts, weights } = readAs('words', tokens, []);
    expect([parts.length, weights]).toEqual([5, []]);
  });

  it('offers only what it has', () => {
    expect(Object.keys(kindsOf(tokens))).toEqual(['pieces', 'words', 'sentences']);
    expect(Object.keys(kindsOf(['a', 'film']))).toEqual(['words']);
  });
});
