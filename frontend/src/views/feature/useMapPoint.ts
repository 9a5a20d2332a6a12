import { type FocusEvent, type KeyboardEvent, type PointerEvent, useState } from 'react';
import type { AttributionMap } from '../../api/schema';

export interface Point {
  row: number;
  column: number;
}

const LEAP = 10; // cells, with Shift

const MOVES: Record<string, readonly [down: number, right: number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** The place on a map that is being read: under the pointer, or moved to by keys from the strongest value on. */
export function useMapPoint(map: AttributionMap | undefined, values: Float32Array | undefined) {
  const [at, setAt] = useState<{ point: Point; byKey: boolean } | null>(null);
  if (!map) return { point: null, byKey: false, handlers: {} };
  const follow = (event: PointerEvent<HTMLElement>) => setAt({ point: pointIn(event, map), byKey: false });
  const onFocus = () => setAt((now) => now ?? { point: strongest(map, values), byKey: true });
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = MOVES[event.key];
    if (!move && !(event.key === 'Escape' && at)) return;
    event.preventDefault();
    setAt(move ? { point: moved(at?.point, move, event.shiftKey ? LEAP : 1), byKey: true } : null);
  };
  const moved = (from = strongest(map, values), [down, right]: readonly [number, number], by: number) => ({
    row: within(from.row + down * by, map.height),
    column: within(from.column + right * by, map.width),
  });
  return {
    point: at && { row: within(at.point.row, map.height), column: within(at.point.column, map.width) },
    byKey: at?.byKey ?? false,
    handlers: {
      onKeyDown,
      onFocus,
      onBlur: (_: FocusEvent) => setAt(null),
      onPointerMove: follow,
      onPointerDown: follow,
      onPointerLeave: () => setAt((now) => (now?.byKey ? now : null)),
    },
  };
}

/** Where |a| is largest; the middle while nothing is known. */
function strongest({ width, height }: AttributionMap, values: Float32Array | undefined): Point {
  const middle = Math.floor(height / 2) * width + Math.floor(width / 2);
  const size = (place: number) => Math.abs(values?.[place] ?? 0);
  const best = values?.reduce((top, value, i) => (Math.abs(value) > size(top) ? i : top), middle) ?? middle;
  return { row: Math.floor(best / width), column: best % width };
}

function pointIn(event: PointerEvent<HTMLElement>, map: AttributionMap): Point {
  const box = event.currentTarget.getBoundingClientRect();
  return {
    row: within(Math.floor(((event.clientY - box.top) / box.height) * map.height), map.height),
    column: within(Math.floor(((event.clientX - box.left) / box.width) * map.width), map.width),
  };
}

function within(place: number, cells: number): number {
  return Math.min(cells - 1, Math.max(0, place));
}
