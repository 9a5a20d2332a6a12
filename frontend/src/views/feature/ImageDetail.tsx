import { VisuallyHidden } from '@mantine/core';
import { lazy, Suspense } from 'react';
import type { ImageAttribution, ImageInput } from '../../api/schema';
import { count } from '../../base/format';
import { ErrorBoundary } from '../common/ErrorBoundary';
import type { Meant } from '../common/meant';
import styles from './ImageView.module.css';
import { Layers, Picture } from './Layers';
import { Legend } from './Legend';
import { isStretched, Stage } from './Stage';
import { type ImageLook, UNITS, useImage } from './useImage';
import { ZoomButtons } from './ZoomButtons';

const FullImage = lazy(() => import('./FullImage'));

interface ImageDetailProps {
  input: ImageInput;
  attribution: ImageAttribution | undefined;
  target: Meant | undefined;
  /** Which input of its sample it is. */
  place: number;
}

/** One large picture: the original, or the map over, beside or through it; and the value at a point. */
export function ImageDetail({ input, attribution, target, place }: ImageDetailProps) {
  const look = useImage(input, attribution, place);
  const { map, cells, zoom, point, byKey, handlers, reading, view, full, setFull } = look;
  return (
    <div className={styles.detail}>
      <Stage
        label={`Values of ${input.name}: arrow keys move, with Shift by ten; plus and minus zoom, F fills the screen`}
        cells={cells}
        ratio={input.width / input.height}
        zoom={zoom}
        point={point}
        mark={byKey ? 'ring' : null}
        {...handlers}
      >
        {view === 'original' || !map ? (
          <Picture input={input} />
        ) : (
          <Layers input={input} map={map} layer={view} />
        )}
      </Stage>
      <div className={styles.below} data-legend={view !== 'original' || undefined}>
        {map && (
          <div className={styles.caption}>
            <Said look={look} />
            <ZoomButtons zoom={zoom} onFull={() => setFull(true)} />
          </div>
        )}
        {map && view !== 'original' && <Legend map={map} layer={view} target={target} />}
      </div>
      <VisuallyHidden aria-live="polite">
        {reading && byKey && `${reading.place}: ${reading.value}`}
      </VisuallyHidden>
      {full && map && (
        <ErrorBoundary fallback={null}>
          <Suspense>
            <FullImage look={look} map={map} target={target} />
          </Suspense>
        </ErrorBoundary>
      )}
    </div>
  );
}

/** What is read, or of which size the picture is and what is to be known of it. */
function Said({ look: { input, map, cells, reading } }: { look: ImageLook }) {
  if (!map) return null;
  if (reading) {
    return (
      <span>
        {reading.place}: <b>{reading.value}</b>
      </span>
    );
  }
  const size = sizeOf(input);
  return (
    <span>
      {input.note
        ? `${size} · ${input.note}`
        : `${size} · point to read ${cells && cells.side > 1 ? UNITS.patch.wanted : UNITS[map.unit].wanted}`}
      {map.nonfinite > 0 && (
        <>
          {' '}
          · <b>{count(map.nonfinite)} not finite (checked)</b>
        </>
      )}
    </span>
  );
}

/** "32 × 32", "344 wide × 27 high, stretched". */
function sizeOf({ width, height }: ImageInput): string {
  if (width === height) return `${width} × ${height}`;
  return `${width} wide × ${height} high${isStretched(width / height) ? ', stretched' : ''}`;
}
