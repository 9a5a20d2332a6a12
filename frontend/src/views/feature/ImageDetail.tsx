import { VisuallyHidden } from '@mantine/core';
import type { AttributionMap, ClassRef, ImageAttribution, ImageInput } from '../../api/schema';
import { count, signed } from '../../base/format';
import { useDisplay } from '../../state/display';
import { useMapValues } from '../../state/explanation';
import styles from './ImageView.module.css';
import { chosenMap, Layers, Picture } from './Layers';
import { Legend } from './Legend';
import { isTiny } from './MapCanvas';
import { type Point, useMapPoint } from './useMapPoint';

const LARGEST = 344; // px

interface ImageDetailProps {
  input: ImageInput;
  attribution: ImageAttribution | undefined;
  target: ClassRef | undefined;
}

/** One large picture: the original, or the map over, beside or through it; and the value at a point. */
export function ImageDetail({ input, attribution, target }: ImageDetailProps) {
  const { view, channels } = useDisplay().display;
  const map = chosenMap(attribution, channels);
  const { data: values } = useMapValues(map);
  const { point, byKey, handlers } = useMapPoint(map, values);
  const ratio = input.width / input.height;
  const reading = map && point && values && readingAt(point, map, values);
  return (
    <div className={styles.detail}>
      <div
        className={styles.stage}
        style={{ aspectRatio: ratio, width: `min(100%, ${LARGEST * Math.min(1, ratio)}px)` }}
        role="application"
        aria-label={`Values of ${input.name}: arrow keys move, with Shift by ten`}
        tabIndex={map ? 0 : -1}
        {...handlers}
      >
        {view === 'original' || !map ? (
          <Picture input={input} />
        ) : (
          <Layers input={input} map={map} layer={view} />
        )}
        {map && point && <Cursor point={point} map={map} byKey={byKey} />}
      </div>
      <div className={styles.below} data-legend={view !== 'original' || undefined}>
        {map && (
          <div className={styles.caption}>
            {reading ? (
              <span>
                {reading.place}: <b>{reading.value}</b>
              </span>
            ) : (
              <span>
                {input.note ??
                  `${map.width} × ${map.height} · point, or use arrow keys, to read ${UNITS[map.unit].wanted}`}
              </span>
            )}
            {map.nonfinite > 0 && <b>{count(map.nonfinite)} not finite (checked)</b>}
          </div>
        )}
        {map && view !== 'original' && <Legend map={map} layer={view} target={target} />}
      </div>
      <VisuallyHidden aria-live="polite">
        {reading && byKey && `${reading.place}: ${reading.value}`}
      </VisuallyHidden>
    </div>
  );
}

function readingAt({ row, column }: Point, map: AttributionMap, values: Float32Array) {
  const value = values[row * map.width + column];
  const place = `row ${row}, column ${column}${UNITS[map.unit].read}`;
  return { place, value: Number.isFinite(value) ? signed(value) : 'not finite' };
}

/** What there is to read, and what is read at a place: its own value, or that of what it belongs to. */
const UNITS: Record<AttributionMap['unit'], { wanted: string; read: string }> = {
  pixel: { wanted: 'a value', read: '' },
  patch: { wanted: 'the value of a patch', read: ', value of its patch' },
  window: { wanted: 'a value', read: ', mean of its windows' },
};

/** A frame around a cell that can be seen; a ring around one that cannot, where no pointer shows it. */
function Cursor({ point, map, byKey }: { point: Point; map: AttributionMap; byKey: boolean }) {
  const percent = (part: number, whole: number) => `${(100 * part) / whole}%`;
  if (isTiny(map)) {
    return (
      <div
        className={styles.cursor}
        style={{
          left: percent(point.column, map.width),
          top: percent(point.row, map.height),
          width: percent(1, map.width),
          height: percent(1, map.height),
        }}
      />
    );
  }
  if (!byKey) return null;
  const place = { left: percent(point.column + 0.5, map.width), top: percent(point.row + 0.5, map.height) };
  return <div className={styles.ring} style={place} />;
}
