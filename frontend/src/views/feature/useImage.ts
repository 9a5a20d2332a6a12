import type { AttributionMap, ImageAttribution, ImageInput } from '../../api/schema';
import { signed } from '../../base/format';
import { useDisplay } from '../../state/display';
import { useMapValues } from '../../state/explanation';
import { chosenMap } from './Layers';
import { type Point, useMapPoint } from './useMapPoint';
import { useZoom } from './useZoom';

const CELL = 48; // px on the screen, about, of a pixel that is enlarged as far as it goes
const LEAST = 8; // times, also for small pictures

/** An image's map as it is looked at: the part that is shown, the point that is read, and what is there. */
export function useImage(input: ImageInput, attribution: ImageAttribution | undefined, place: number) {
  const { display, change } = useDisplay();
  const map = chosenMap(attribution, display.channels);
  const { data: values } = useMapValues(map);
  const zoom = useZoom(Math.max(LEAST, (Math.max(input.width, input.height) * CELL) / 400));
  const full = display.full === place;
  const setFull = (next: boolean) => change({ full: next ? place : null });
  const { point, byKey, handlers } = useMapPoint(map, values, zoom, { f: () => setFull(!full) });
  const reading = map && point && values ? readingAt(point, map, values) : null;
  return { input, map, zoom, point, byKey, handlers, reading, view: display.view, full, setFull };
}

export type ImageLook = ReturnType<typeof useImage>;

interface Reading {
  place: string;
  value: string;
}

function readingAt({ row, column }: Point, map: AttributionMap, values: Float32Array): Reading {
  const value = values[row * map.width + column];
  const place = `row ${row}, column ${column}${UNITS[map.unit].read}`;
  return { place, value: Number.isFinite(value) ? signed(value) : 'not finite' };
}

/** What there is to read, and what is read at a place: its own value, or that of what it belongs to. */
export const UNITS: Record<AttributionMap['unit'], { wanted: string; read: string }> = {
  pixel: { wanted: 'a value', read: '' },
  patch: { wanted: 'the value of a patch', read: ', value of its patch' },
  window: { wanted: 'a value', read: ', mean of its windows' },
};
