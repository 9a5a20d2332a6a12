import { expect, it } from 'vitest';
import { COLOR_MAP_NAMES } from '../../render/colors';
import { meaning } from './Meaning';

const both = { minimum: -1, maximum: 1 };
const positive = { minimum: 0, maximum: 1 };

it('says which colour is for and which against, in every colour map', () => {
  expect(COLOR_MAP_NAMES.map((name) => meaning(name, 'both', '‘9’', both))).toEqual([
    'Red speaks for ‘9’, blue against.',
    'Orange speaks for ‘9’, purple against.',
    'Green speaks for ‘9’, purple against.',
  ]);
  expect(meaning('RdBu', 'positive', '‘9’', both)).toBe('Red speaks for ‘9’.');
  expect(meaning('RdBu', 'negative', '‘9’', both)).toBe('Blue speaks against ‘9’.');
  expect(meaning('RdBu', 'absolute', '‘9’', both)).toBe('The stronger the red, the more it matters to ‘9’.');
});

it('names the class on the other side', () => {
  const of = (sign: Parameters<typeof meaning>[1], extent = both) =>
    meaning('RdBu', sign, '‘cat’', extent, '‘dog’');
  expect(of('both')).toBe('Red speaks for ‘cat’, blue for ‘dog’.');
  expect(of('both', positive)).toBe('Red speaks for ‘cat’, nothing for ‘dog’.');
  expect(of('both', { minimum: -1, maximum: 0 })).toBe('Blue speaks for ‘dog’, nothing for ‘cat’.');
  expect(of('negative')).toBe('Blue speaks for ‘dog’.');
  expect(of('absolute')).toBe('The stronger the red, the more it matters to ‘cat’ or ‘dog’.');
});

it('speaks of no colour that is not there', () => {
  expect(meaning('RdBu', 'both', '‘9’', positive)).toBe('Red speaks for ‘9’, nothing against.');
  expect(meaning('RdBu', 'negative', '‘9’', positive)).toBe('Nothing speaks against ‘9’.');
  expect(meaning('RdBu', 'both', '‘9’', { minimum: -1, maximum: 0 })).toBe(
    'Blue speaks against ‘9’, nothing for.',
  );
  expect(meaning('RdBu', 'both', '‘9’', { minimum: 0, maximum: 0 })).toBe(
    'Nothing speaks for or against ‘9’.',
  );
});
