import { expect, it } from 'vitest';
import { nextPlace } from './keys';

it('steps by one, and by a row of the grid', () => {
  const to = (at: number, by: Parameters<typeof nextPlace>[1]) => nextPlace(at, by, 3, 8);
  expect([to(0, 1), to(0, -1), to(7, 1), to(4, -1)]).toEqual([1, 0, 7, 3]);
  expect([to(1, 'below'), to(4, 'above'), to(1, 'above'), to(5, 'below')]).toEqual([4, 1, 1, 7]);
});
