import type { Place } from './viewport';

/** A map as it is drawn, row after row: its pixels, or square patches of them, each with their sum. */
export interface Cells {
  values: Float32Array;
  columns: number;
  rows: number;
  /** Pixels along the side of a patch; the last of a row or column may be cut off. */
  side: number;
  /** Of the whole map, in pixels. */
  width: number;
  height: number;
  minimum: number;
  maximum: number;
}

export interface Cell {
  row: number;
  column: number;
}

/** The pixels along a patch's side among which a person chooses. */
export const GRAINS = [1, 4, 8, 16, 32] as const;

/** A map's values summed into patches of `side` × `side` pixels; a sum with what is not finite is not finite. */
export function cellsOf(map: Size, values: Float32Array, side: number): Cells {
  const { width, height, minimum, maximum } = map;
  if (side === 1) return { values, columns: width, rows: height, side, width, height, minimum, maximum };
  const columns = Math.ceil(width / side);
  const rows = Math.ceil(height / side);
  const sums = sumPatches(values, width, side, columns, rows);
  return { values: sums, columns, rows, side, width, height, ...extentOf(sums) };
}

type Size = Pick<Cells, 'width' | 'height' | 'minimum' | 'maximum'>;

function sumPatches(values: Float32Array, width: number, side: number, columns: number, rows: number) {
  const sums = new Float64Array(columns * rows);
  for (let start = 0, y = 0; start < values.length; start += width, y++) {
    const first = Math.floor(y / side) * columns;
    for (let x = 0; x < width; x++) {
      const patch = first + Math.floor(x / side);
      sums[patch] = (sums[patch] as number) + (values[start + x] as number);
    }
  }
  return Float32Array.from(sums);
}

function extentOf(values: Float32Array) {
  let [minimum, maximum] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value < minimum && value > Number.NEGATIVE_INFINITY) minimum = value;
    else if (value > maximum && value < Number.POSITIVE_INFINITY) maximum = value;
  }
  return { minimum, maximum };
}

/** The colours of cells as those of all their pixels. */
export function spread(
  colors: Uint32Array<ArrayBuffer>,
  { columns, side, width, height }: Cells,
): Uint32Array<ArrayBuffer> {
  if (side === 1) return colors;
  const pixels = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) {
    const start = y * width;
    if (y % side > 0) pixels.copyWithin(start, start - width, start);
    else {
      const first = (y / side) * columns;
      for (let x = 0; x < width; x++) pixels[start + x] = colors[first + Math.floor(x / side)] as number;
    }
  }
  return pixels;
}

/** The cell at a place of the map; the nearest one where the place is outside. */
export function cellAt({ x, y }: Place, { width, height, side, rows, columns }: Cells): Cell {
  const within = (place: number, cells: number) => Math.min(cells - 1, Math.max(0, Math.floor(place)));
  return { row: within((y * height) / side, rows), column: within((x * width) / side, columns) };
}

/** Where a cell lies, as shares of the map. */
export function boxOf({ row, column }: Cell, { width, height, side }: Cells) {
  const [left, top] = [column * side, row * side];
  return {
    left: left / width,
    top: top / height,
    width: Math.min(side, width - left) / width,
    height: Math.min(side, height - top) / height,
  };
}

/** The middle of a cell. */
export function middleOf(cell: Cell, cells: Cells): Place {
  const { left, top, width, height } = boxOf(cell, cells);
  return { x: left + width / 2, y: top + height / 2 };
}

/** Where |a| is largest. */
export function strongestOf({ values, columns }: Cells): Cell {
  let best = 0;
  for (let i = 1; i < values.length; i++) {
    if (Math.abs(values[i] as number) > Math.abs(values[best] as number)) best = i;
  }
  return { row: Math.floor(best / columns), column: best % columns };
}
