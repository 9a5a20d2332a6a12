import { type FocusEvent, type KeyboardEvent, type PointerEvent, useState } from 'react';
import { type Cell, type Cells, cellAt, middleOf, strongestOf } from '../../render/cells';
import { placeUnder, type Zoom } from './useZoom';

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
export function useMapPoint(cells: Cells | undefined, zoom: Zoom, actions: KeyActions) {
  const [at, setAt] = useState<{ point: Cell; byKey: boolean } | null>(null);
  if (!cells) return { point: null, byKey: false, handlers: {} };
  const follow = (event: PointerEvent<HTMLElement>) => {
    const place = placeUnder(event, event.currentTarget.getBoundingClientRect(), zoom.view);
    setAt({ point: cellAt(place, cells), byKey: false });
  };
  const onFocus = () => setAt((now) => now ?? { point: strongestOf(cells), byKey: true });
  const go = ([down, right]: readonly [number, number], by: number) => {
    const from = at?.point ?? strongestOf(cells);
    const point = inside({ row: from.row + down * by, column: from.column + right * by }, cells);
    zoom.reveal(middleOf(point, cells));
    setAt({ point, byKey: true });
  };
  const zoomHere = (factor: number) => {
    const point = at?.point ?? strongestOf(cells);
    zoom.reveal(middleOf(point, cells));
    zoom.zoom(factor);
    zoom.reveal(middleOf(point, cells));
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
    point: at && inside(at.point, cells),
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

function inside({ row, column }: Cell, { rows, columns }: Cells): Cell {
  return { row: within(row, rows), column: within(column, columns) };
}

function within(place: number, cells: number): number {
  return Math.min(cells - 1, Math.max(0, place));
}
