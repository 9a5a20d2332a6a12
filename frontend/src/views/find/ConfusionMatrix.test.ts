import { expect, it } from 'vitest';
import { abbreviations } from './ConfusionMatrix';

it('keeps short names, cuts long ones, and tells alike ones apart', () => {
  expect(abbreviations(['0', 'Trouser', 'Ankle boot'], 9)).toEqual(['0', 'Trouser', 'Ankle bo…']);
  expect(abbreviations(['rectangle red', 'rectangle blue'], 9)).toEqual(['rectan…ed', 'rectan…ue']);
});
