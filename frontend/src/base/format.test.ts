import { describe, expect, it } from 'vitest';
import { number, percent, signed } from './format';

describe('number', () => {
  it.each([
    [0, '0'],
    [1, '1'],
    [29.88113, '29.9'],
    [7.75, '7.75'],
    [0.05, '0.05'],
    [-0.0368123, '−0.0368'],
    [123.456, '123.5'],
    [-12345.6, '−12,346'],
    [-37045, '−37,045'],
    [-110_000, '−110,000'],
    [64831, '64,831'],
    [100, '100'],
    [0.00012, '1.2e−4'],
    [-8.64e-4, '−8.64e−4'],
    [1e6, '1e6'],
    [-1.234e7, '−1.23e7'],
    [Number.POSITIVE_INFINITY, 'not finite'],
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
    [-5.3e-4, '−5.30e−4'],
    [110_000, '+110,000'],
    [2.5e6, '+2.50e6'],
    [undefined, 'not finite'],
  ])('writes %s as %s', (value, text) => expect(signed(value)).toBe(text));
});

describe('percent', () => {
  it.each([
    [0.0123, '1.2 %'],
    [0.0001, '< 0.1 %'],
    [12.34, '1,234 %'],
  ])('writes %s as %s', (value, text) => expect(percent(value)).toBe(text));

  it('leaves decimals out where asked', () => expect(percent(0.9, 0)).toBe('90 %'));
});
