import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useMemo, useRef } from 'react';
import type { AttributionMap } from '../../api/schema';
import { number } from '../../base/format';
import { type Cells, spread } from '../../render/cells';
import { type Layer, type Lookup, lookup, paint, type Sign } from '../../render/paint';
import { useMapBound } from '../../state/bound';
import { useCells } from '../../state/cells';
import { useDisplay, useSign } from '../../state/display';
import styles from './ImageView.module.css';

interface MapCanvasProps {
  map: AttributionMap;
  layer: Layer;
  label: string;
  /** The value at which colours are full, where it is not that of the display. */
  bound?: number;
}

/** A raw signed map, painted with the chosen colours. */
export function MapCanvas({ map, layer, label, bound: given }: MapCanvasProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const cells = useCells(map);
  const { colors, opacity } = useDisplay().display;
  const sign = useSign(hasSign(map));
  const own = useMapBound(given === undefined ? cells : undefined);
  const bound = given ?? own;
  const scheme = useComputedColorScheme('light');
  const { minimum, maximum } = cells ?? map;
  const table = useMemo(() => lookup(layer, colors, opacity, scheme), [layer, colors, opacity, scheme]);
  useEffect(() => {
    const frame = requestAnimationFrame(() => draw(canvas.current, cells, bound, sign, table));
    return () => cancelAnimationFrame(frame); // only the newest of several changes is painted
  }, [cells, bound, sign, table]);
  return (
    <canvas
      ref={canvas}
      width={map.width}
      height={map.height}
      role="img"
      aria-label={`${label}: values from ${number(minimum)} to ${number(maximum)}`}
      className={styles.layer}
      data-crisp={isTiny(map) || (cells && cells.side > 1) || undefined}
    />
  );
}

function draw(
  canvas: HTMLCanvasElement | null,
  cells: Cells | undefined,
  bound: number,
  sign: Sign,
  table: Lookup,
): void {
  const context = canvas?.getContext('2d');
  if (!context || !cells) return;
  const colors = paint(cells.values, cells.columns, bound, sign, table);
  const pixels = new Uint8ClampedArray(spread(colors, cells).buffer);
  context.putImageData(new ImageData(pixels, cells.width, cells.height), 0, 0);
}

/** Whether a map's values can be negative: the size of a vector of channels cannot. */
export function hasSign({ reduction }: Pick<AttributionMap, 'reduction'>): boolean {
  return reduction !== 'magnitude';
}

/** Whether enlarging should keep the pixels visible. */
export function isTiny({ width, height }: { width: number; height: number }): boolean {
  return Math.max(width, height) <= 64;
}
