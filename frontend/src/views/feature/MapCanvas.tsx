import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useMemo, useRef } from 'react';
import type { AttributionMap } from '../../api/schema';
import { number } from '../../base/format';
import { type Layer, type Lookup, lookup, paint, type Sign } from '../../render/paint';
import { useMapBound } from '../../state/bound';
import { useDisplay, useSign } from '../../state/display';
import { useMapValues } from '../../state/explanation';
import styles from './ImageView.module.css';

/** A raw signed map, painted with the chosen colours. */
export function MapCanvas({ map, layer, label }: { map: AttributionMap; layer: Layer; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { data: values } = useMapValues(map);
  const { colors, opacity } = useDisplay().display;
  const sign = useSign(hasSign(map));
  const bound = useMapBound(values);
  const scheme = useComputedColorScheme('light');
  const table = useMemo(() => lookup(layer, colors, opacity, scheme), [layer, colors, opacity, scheme]);
  useEffect(() => {
    const frame = requestAnimationFrame(() => draw(canvas.current, map, values, bound, sign, table));
    return () => cancelAnimationFrame(frame); // only the newest of several changes is painted
  }, [values, map, bound, sign, table]);
  return (
    <canvas
      ref={canvas}
      width={map.width}
      height={map.height}
      role="img"
      aria-label={`${label}: values from ${number(map.minimum)} to ${number(map.maximum)}`}
      className={styles.layer}
      data-crisp={isTiny(map) || undefined}
    />
  );
}

function draw(
  canvas: HTMLCanvasElement | null,
  { width, height }: AttributionMap,
  values: Float32Array | undefined,
  bound: number,
  sign: Sign,
  table: Lookup,
): void {
  const context = canvas?.getContext('2d');
  if (!context || !values) return;
  const pixels = new Uint8ClampedArray(paint(values, width, bound, sign, table).buffer);
  context.putImageData(new ImageData(pixels, width, height), 0, 0);
}

/** Whether a map's values can be negative: the size of a vector of channels cannot. */
export function hasSign({ reduction }: Pick<AttributionMap, 'reduction'>): boolean {
  return reduction !== 'magnitude';
}

/** Whether enlarging should keep the pixels visible. */
export function isTiny({ width, height }: { width: number; height: number }): boolean {
  return Math.max(width, height) <= 64;
}
