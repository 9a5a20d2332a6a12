import { useComputedColorScheme } from '@mantine/core';
import { type KeyboardEvent, type PointerEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { GeneralInput } from '../../api/schema';
import { number, signed } from '../../base/format';
import { lookup, paint } from '../../render/paint';
import { useDisplay, useSign } from '../../state/display';
import styles from './SeriesPlot.module.css';
import { limits, linePath } from './series';
import type { Size } from './size';
import type { Weight } from './weights';

const LEAP = 10; // places, with Shift

interface SeriesPlotProps {
  input: GeneralInput;
  weights: readonly Weight[];
  bound: number;
  size: Size;
}

/** Values in their order as a line, over their attributions as colours; in the panel every place can be read. */
export function SeriesPlot({ input, weights, bound, size }: SeriesPlotProps) {
  const { values, categories, name } = input;
  const [at, setAt] = useState<number | null>(null);
  const path = useMemo(() => linePath(values), [values]);
  const [low, high] = limits(values);
  const canvas = useStripes(weights, values.length, bound);
  const last = values.length - 1;
  const follow = (event: PointerEvent) => {
    const box = event.currentTarget.getBoundingClientRect();
    setAt(Math.min(last, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * values.length))));
  };
  const move = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    setAt(Math.min(last, Math.max(0, (at ?? strongest(weights)) + by * (event.shiftKey ? LEAP : 1))));
  };
  const reading =
    at === null
      ? `${number(low)} to ${number(high)}`
      : `${categories[at]}: ${number(values[at])}${weights.length ? `, attribution ${signed(weights[at])}` : ''}`;
  const label = `${name}, ${values.length} values in order, from ${number(low)} to ${number(high)}`;
  const plot = (
    <>
      <canvas ref={canvas} width={values.length} height={1} className={styles.stripes} aria-hidden />
      <svg viewBox={`0 0 ${values.length} 1`} preserveAspectRatio="none" className={styles.line} aria-hidden>
        <path d={path} className={styles.halo} />
        <path d={path} className={styles.stroke} />
      </svg>
    </>
  );
  if (size !== 'panel') {
    return (
      <div className={styles.plot} data-size={size} role="img" aria-label={label}>
        {plot}
      </div>
    );
  }
  return (
    <div>
      <div
        className={styles.plot}
        data-size={size}
        role="application"
        aria-label={`${label}: arrow keys read them, with Shift by ten`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application has the focus
        tabIndex={0}
        onPointerMove={follow}
        onPointerDown={follow}
        onPointerLeave={() => setAt(null)}
        onFocus={() => setAt((now) => now ?? strongest(weights))}
        onBlur={() => setAt(null)}
        onKeyDown={move}
      >
        {plot}
        {at !== null && (
          <div className={styles.cursor} style={{ left: `${(100 * (at + 0.5)) / values.length}%` }} />
        )}
      </div>
      <div className={styles.ticks}>
        <span>{categories[0]}</span>
        <span aria-live="polite">{reading}</span>
        <span>{categories[last]}</span>
      </div>
    </div>
  );
}

function strongest(weights: readonly Weight[]): number {
  const size = (place: number) => Math.abs(weights[place] ?? 0);
  return weights.reduce<number>((best, _, i) => (size(i) > size(best) ? i : best), 0);
}

/** A canvas of one row that shows the weights in colours. */
function useStripes(weights: readonly Weight[], length: number, bound: number) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { colors } = useDisplay().display;
  const sign = useSign();
  const scheme = useComputedColorScheme('light');
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    const row = Float32Array.from({ length }, (_, i) => weights[i] ?? 0);
    const pixels = paint(row, length, bound, sign, lookup('map', colors, 1, scheme));
    context.putImageData(new ImageData(new Uint8ClampedArray(pixels.buffer), length, 1), 0, 0);
  }, [weights, length, bound, sign, colors, scheme]);
  return canvas;
}
