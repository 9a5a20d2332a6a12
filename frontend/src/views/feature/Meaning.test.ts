import { expect, it } from 'vitest';
import { COLOR_MAP_NAMES } from '../../render/colors';
import { meaning } from './Meaning';

it('says which colour is for and which against, in every colour map', () => {
  expect(COLOR_MAP_NAMES.map((name) => meaning(name, 'both', '‘9’'))).toEqual([
    'Red speaks for ‘9’, blue against.',
    'Orange speaks for ‘9’, purple against.',
    'Green speaks for ‘9’, purple against.',
  ]);
  expect(meaning('RdBu', 'positive', '‘9’')).toBe('Red speaks for ‘9’.');
  expect(meaning('RdBu', 'negative', '‘9’')).toBe('Blue speaks against ‘9’.');
  expect(meaning('RdBu', 'absolute', '‘9’')).toBe('The stronger the red, the more it matters to ‘9’.');
});
