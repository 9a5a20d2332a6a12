import type { AttributionMap, ImageAttribution, ImageInput } from '../../api/schema';
import { signed } from '../../base/format';
import type { Cell, Cells } from '../../render/cells';
import { useCells } from '../../state/cells';
import { useDisplay, useView } from '../../state/display';
import { chosenMap } from './Layers';
import { useMapPoint } from './useMapPoint';
import { useZoom } from './useZoom';

const CELL = 48; // px on the screen, about, of a pixel that is enlarged as far as it goes
const LEAST = 8; // times, also for small pictures

/** An image's map as it is looked at: the part that is shown, the point that is read, and what is there. */
export function useImage(input: ImageInput, attribution: ImageAttribution | undefined, place: number) {
  const { display, change } = useDisplay();
  const map = chosenMap(attribution, display.channels);
  const cells = useCells(map);
  const zoom = useZoom(Math.max(LEAST, (Math.max(input.width, input.height) * CELL) / 400));
  const full = display.full === place;
  const setFull = (next: boolean) => change({ full: next ? place : null });
  const { point, byKey, handlers } = useMapPoint(cells, zoom, { f: () => setFull(!full) });
  const reading = map && cells && point ? readingAt(point, cells, map.unit) : null;
  return {
    input,
    map,
    cells,
    zoom,
    point,
    byKey,
    handlers,
    reading,
    view: useView(map?.unit === 'layer'),
    full,
    setFull,
  };
}

export type ImageLook = ReturnType<typeof useImage>;

interface Reading {
  place: string;
  value: string;
}

function readingAt(cell: Cell, { values, columns, side, width, height }: Cells, unit: Unit): Reading {
  const { row, column } = cell;
  const value = values[row * columns + column];
  const place =
    side === 1
      ? `row ${row}, column ${column}${UNITS[unit].read}`
      : `rows ${span(row, side, height)}, columns ${span(column, side, width)}, sum`;
  return { place, value: Number.isFinite(value) ? signed(value) : 'not finite' };
}

/** "32–47": the pixels of a patch. */
function span(place: number, side: number, end: number): string {
  return `${place * side}–${Math.min(end, (place + 1) * side) - 1}`;
}

type Unit = AttributionMap['unit'];

/** What there is to read, and what is read at a place: its own value, or that of what it belongs to. */
export const UNITS: Record<Unit, { wanted: string; read: string }> = {
  pixel: { wanted: 'a value', read: '' },
  patch: { wanted: 'the value of a patch', read: ', value of its patch' },
  window: { wanted: 'a value', read: ', mean of its windows' },
  layer: { wanted: 'a value', read: ', between the layer’s positions' },
};
