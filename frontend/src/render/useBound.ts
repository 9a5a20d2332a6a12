import { useEffect, useId, useSyncExternalStore } from 'react';
import { useDisplay } from '../state/display';
import { useServices } from '../state/services';
import { clipBound } from './clip';

/** The value at which a map's colours saturate: its own percentile, or the largest of all maps on screen. */
export function useBound(values: Float32Array | undefined): number {
  const { scales } = useServices();
  const { clip, scale } = useDisplay().display;
  const id = useId();
  const own = values ? clipBound(values, clip) : 0;
  useEffect(() => {
    scales.set(id, own);
    return () => scales.delete(id);
  }, [scales, id, own]);
  const shared = useSyncExternalStore(scales.subscribe, () => (scale === 'shared' ? scales.shared() : 0));
  return Math.max(own, shared);
}
