import { describe, expect, it } from 'vitest';
import { boxOf, cellAt, cellsOf, GRAINS, middleOf, spread, strongestOf } from './cells';

const total = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0);

/** 5 wide and 3 high: 0, −1, 2, −3… */
const small = Float32Array.from({ length: 15 }, (_, i) => (i % 2 ? -i : i));
const map = { width: 5, height: 3, minimum: -13, maximum: 14 };

describe('cells', () => {
  it('are the pixels themselves where the grain is one', () => {
    const cells = cellsOf(map, small, 1);
    expect(cells.values).toBe(small);
    expect(cells).toMatchObject({ columns: 5, rows: 3, ...map });
  });

  it('are sums of patches, also of those cut off at the edge', () => {
    const cells = cellsOf(map, small, 2);
    expect([cells.columns, cells.rows]).toEqual([3, 2]);
    expect([...cells.values]).toEqual([0 - 1 - 5 + 6, 2 - 3 - 7 + 8, 4 - 9, 10 - 11, 12 - 13, 14]);
    expect([cells.minimum, cells.maximum]).toEqual([-5, 14]);
  });

  it.each(GRAINS)('keep the sum of all, in patches of %i', (side) => {
    const values = Float32Array.from({ length: 100 * 70 }, (_, i) => Math.sin(i) / 8);
    expect(total(cellsOf({ ...map, width: 100, height: 70 }, values, side).values)).toBeCloseTo(
      total(values),
      4,
    );
  });

  it('pass on what is not finite, which has no sum', () => {
    const values = small.with(6, Number.NaN);
    expect([...cellsOf(map, values, 2).values].map(Number.isFinite)).toEqual([
      false,
      true,
      true,
      true,
      true,
      true,
    ]);
  });

  it('give each pixel the colour of its patch', () => {
    const colors = Uint32Array.of(1, 2, 3, 4, 5, 6);
    const pixels = spread(colors, cellsOf(map, small, 2));
    expect([...pixels]).toEqual([1, 1, 2, 2, 3, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6]);
    expect(spread(colors, cellsOf(map, small, 1))).toBe(colors);
  });

  it('are found by place, and know where they lie', () => {
    const cells = cellsOf(map, small, 2);
    expect(cellAt({ x: 0.99, y: 0.5 }, cells)).toEqual({ row: 0, column: 2 });
    expect(cellAt({ x: -1, y: 2 }, cells)).toEqual({ row: 1, column: 0 });
    expect(boxOf({ row: 1, column: 2 }, cells)).toEqual({
      left: 4 / 5,
      top: 2 / 3,
      width: 1 / 5,
      height: 1 / 3,
    });
    expect(middleOf({ row: 0, column: 0 }, cells)).toEqual({ x: 1 / 5, y: 1 / 3 });
    expect(strongestOf(cells)).toEqual({ row: 1, column: 2 });
  });
});
