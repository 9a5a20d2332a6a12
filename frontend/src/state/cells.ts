import { useMemo } from 'react';
import type { AttributionMap } from '../api/schema';
import { cellsOf } from '../render/cells';
import { useDisplay } from './display';
import { useMapValues } from './explanation';

/** A map as it is drawn: in the grain chosen, where it has a value of its own for every pixel. */
export function useCells(map: AttributionMap | undefined) {
  const { data: values } = useMapValues(map);
  const { grain } = useDisplay().display;
  const side = map?.unit === 'pixel' ? grain : 1;
  return useMemo(() => (map && values ? cellsOf(map, values, side) : undefined), [map, values, side]);
}
