import { describe, expect, it } from 'vitest';
import { number, signed } from './format';

describe('number', () => {
  it.each([
    [0, '0'],
    [1, '1'],
    [29.88113, '29.9'],
    [7.75, '7.75'],
    [0.05, '0.05'],
    [-0.0368123, '−0.0368'],
    [123.456, '123.5'],
    [-12345.6, '−12346'],
    [0.00012, '1.2e−4'],
    [1e5, '1.0e+5'],
    [null, 'not finite'],
    [Number.NaN, 'not finite'],
  ])('writes %s as %s', (value, text) => expect(number(value)).toBe(text));
});

describe('signed', () => {
  it.each([
    [-2, '−2.00'],
    [0.75, '+0.750'],
    [-0.702, '−0.702'],
    [5.2, '+5.20'],
    [63, '+63.0'],
    [0.005, '+0.00500'],
    [0, '0'],
    [-5.3e-4, '−5.3e−4'],
    [undefined, 'not finite'],
  ])('writes %s as %s', (value, text) => expect(signed(value)).toBe(text));
});
