import { useEffect, useId, useSyncExternalStore } from 'react';
import type { Cells } from '../render/cells';
import { clipBound } from '../render/clip';
import { useDisplay } from './display';
import type { ScaleKind } from './scales';
import { useServices } from './services';

/** The value at which colours saturate: `own`, or the largest of its kind on screen where the scale is shared. */
export function useBound(kind: ScaleKind, own: number): number {
  const { scales } = useServices();
  const { scale } = useDisplay().display;
  const id = useId();
  useEffect(() => {
    scales.set(id, kind, own);
    return () => scales.delete(id);
  }, [scales, id, kind, own]);
  const shared = useSyncExternalStore(scales.subscribe, () => (scale === 'shared' ? scales.shared(kind) : 0));
  return Math.max(own, shared);
}

/** The same for a map: its own bound is its percentile. */
export function useMapBound(cells: Cells | undefined): number {
  const { clip } = useDisplay().display;
  return useBound('image', cells ? clipBound(cells.values, clip) : 0);
}
