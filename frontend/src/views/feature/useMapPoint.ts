import { type FocusEvent, type KeyboardEvent, type PointerEvent, useState } from 'react';
import type { AttributionMap } from '../../api/schema';
import { placeUnder, type Zoom } from './useZoom';

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

/** What the keys do besides moving. */
type KeyActions = Record<string, () => void>;

/** The place on a map that is being read: under the pointer, or moved to by keys from the strongest value on. */
export function useMapPoint(
  map: AttributionMap | undefined,
  values: Float32Array | undefined,
  zoom: Zoom,
  actions: KeyActions,
) {
  const [at, setAt] = useState<{ point: Point; byKey: boolean } | null>(null);
  if (!map) return { point: null, byKey: false, handlers: {} };
  const follow = (event: PointerEvent<HTMLElement>) => {
    const { x, y } = placeUnder(event, event.currentTarget.getBoundingClientRect(), zoom.view);
    const point = { row: Math.floor(y * map.height), column: Math.floor(x * map.width) };
    setAt({ point: inMap(point, map), byKey: false });
  };
  const onFocus = () => setAt((now) => now ?? { point: strongest(map, values), byKey: true });
  const go = ([down, right]: readonly [number, number], by: number) => {
    const from = at?.point ?? strongest(map, values);
    const point = inMap({ row: from.row + down * by, column: from.column + right * by }, map);
    zoom.reveal(middleOf(point, map));
    setAt({ point, byKey: true });
  };
  const zoomHere = (factor: number) => {
    const point = at?.point ?? strongest(map, values);
    zoom.reveal(middleOf(point, map));
    zoom.zoom(factor);
    zoom.reveal(middleOf(point, map));
  };
  const leave = () => {
    if (zoom.view.scale > 1) zoom.reset();
    else setAt(null);
  };
  const other: KeyActions = {
    '+': () => zoomHere(KEY_STEP),
    '=': () => zoomHere(KEY_STEP),
    '-': () => zoomHere(1 / KEY_STEP),
    '0': zoom.reset,
    ...((at || zoom.view.scale > 1) && { Escape: leave }),
    ...actions,
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = MOVES[event.key];
    const act = other[event.key];
    if (!move && !act) return;
    event.preventDefault();
    if (move) go(move, event.shiftKey ? LEAP : 1);
    else act?.();
  };
  return {
    point: at && inMap(at.point, map),
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

const KEY_STEP = 1.5;

/** The middle of a cell, as shares of the map. */
export function middleOf({ row, column }: Point, { width, height }: AttributionMap) {
  return { x: (column + 0.5) / width, y: (row + 0.5) / height };
}

/** Where |a| is largest; the middle while nothing is known. */
function strongest({ width, height }: AttributionMap, values: Float32Array | undefined): Point {
  const middle = Math.floor(height / 2) * width + Math.floor(width / 2);
  const size = (place: number) => Math.abs(values?.[place] ?? 0);
  const best = values?.reduce((top, value, i) => (Math.abs(value) > size(top) ? i : top), middle) ?? middle;
  return { row: Math.floor(best / width), column: best % width };
}

function inMap({ row, column }: Point, { width, height }: AttributionMap): Point {
  return { row: within(row, height), column: within(column, width) };
}

function within(place: number, cells: number): number {
  return Math.min(cells - 1, Math.max(0, place));
}
