import { describe, expect, it } from 'vitest';
import { completenessError, verdictOf } from './completeness';

const rest = { adds_up: true, cancellation: 1, cancels: false };

describe('completenessError', () => {
  it('is the difference as a share of the change', () => {
    expect(completenessError({ total: 5.25, change: 5, delta: 0.25, ...rest })).toBe(0.05);
    expect(completenessError({ total: -4, change: -5, delta: 1, ...rest })).toBe(0.2);
  });

  it('is not known where the output did not change', () => {
    expect(completenessError({ total: 1, change: 0, delta: 1, ...rest })).toBeNull();
    expect(completenessError({ total: 0, change: 0, delta: 0, ...rest })).toBe(0);
  });
});

it('gives no plain tick where large parts cancel', () => {
  const of = (adds_up: boolean, cancels: boolean) =>
    verdictOf({ total: -0.36, change: -0.36, delta: 0, adds_up, cancellation: 60, cancels });
  expect(of(true, false)).toBe('good');
  expect(of(true, true)).toBe('cancels'); // −10.3 + 6.7 + 4.6
  expect(of(false, true)).toBe('bad');
});
