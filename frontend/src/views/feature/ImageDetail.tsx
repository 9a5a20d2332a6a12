import { type PointerEvent, useState } from 'react';
import type { AttributionMap, ImageAttribution, ImageInput } from '../../api/schema';
import { count, signed } from '../../render/format';
import { useDisplay } from '../../state/display';
import { useMapValues } from '../../state/explanation';
import styles from './ImageView.module.css';
import { chosenMap, Layers, Picture } from './Layers';
import { Legend } from './Legend';

const LARGEST = 344; // px

interface Point {
  row: number;
  column: number;
}

/** One large picture: the original, or the map over, beside or through it; and the value under the pointer. */
export function ImageDetail({
  input,
  attribution,
}: {
  input: ImageInput;
  attribution: ImageAttribution | undefined;
}) {
  const { view, channels } = useDisplay().display;
  const [point, setPoint] = useState<Point | null>(null);
  const map = chosenMap(attribution, channels);
  const ratio = input.width / input.height;
  const follow = (event: PointerEvent<HTMLElement>) => map && setPoint(pointIn(event, map));
  return (
    <div className={styles.detail}>
      <div
        className={styles.stage}
        style={{ aspectRatio: ratio, width: `min(100%, ${LARGEST * Math.min(1, ratio)}px)` }}
        onPointerMove={follow}
        onPointerDown={follow}
        onPointerLeave={() => setPoint(null)}
      >
        {view === 'original' || !map ? (
          <Picture input={input} />
        ) : (
          <Layers input={input} map={map} layer={view} />
        )}
        {map && point && map.width <= 64 && <Cursor point={point} map={map} />}
      </div>
      {map && <PointCaption map={map} point={point} note={input.note} />}
      {map && view !== 'original' && <Legend map={map} layer={view} />}
    </div>
  );
}

function PointCaption({
  map,
  point,
  note,
}: {
  map: AttributionMap;
  point: Point | null;
  note: string | null;
}) {
  const { data: values } = useMapValues(map);
  const value = point && values?.[point.row * map.width + point.column];
  return (
    <div className={styles.caption}>
      {point && value !== undefined && value !== null ? (
        <span>
          row {point.row}, column {point.column}:{' '}
          <b>{Number.isFinite(value) ? signed(value) : 'not finite'}</b>
        </span>
      ) : (
        <span>{note ?? `${map.width} × ${map.height} · point at the map to read a value`}</span>
      )}
      {map.nonfinite > 0 && <b>{count(map.nonfinite)} not finite (checked)</b>}
    </div>
  );
}

function Cursor({ point, map }: { point: Point; map: AttributionMap }) {
  const percent = (part: number, whole: number) => `${(100 * part) / whole}%`;
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

function pointIn(event: PointerEvent<HTMLElement>, map: AttributionMap): Point {
  const box = event.currentTarget.getBoundingClientRect();
  const place = (offset: number, length: number, cells: number) =>
    Math.min(cells - 1, Math.max(0, Math.floor((offset / length) * cells)));
  return {
    row: place(event.clientY - box.top, box.height, map.height),
    column: place(event.clientX - box.left, box.width, map.width),
  };
}
