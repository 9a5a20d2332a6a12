import { describe, expect, it } from 'vitest';
import { completenessError } from './completeness';

const rest = { adds_up: true, cancellation: 1 };

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
