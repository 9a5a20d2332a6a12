import { useElementSize, useMergedRef } from '@mantine/hooks';
import { type ComponentProps, type ReactNode, useRef } from 'react';
import type { AttributionMap } from '../../api/schema';
import { type Place, placeOf, transformOf, type Viewport } from '../../render/viewport';
import styles from './Stage.module.css';
import { middleOf, type Point } from './useMapPoint';
import { useGestures, type Zoom } from './useZoom';

const CRISP = 4; // px from which on a pixel is worth a sharp edge
const SEEN = 6; // px from which on a cell can be framed
const NARROWEST = 0.4; // of width to height: what is narrower, or wider, is stretched
const WIDEST = 4;

interface StageProps extends ComponentProps<'div'> {
  label: string;
  map: AttributionMap | undefined;
  /** The picture's width over its height. */
  ratio: number;
  zoom: Zoom;
  point: Point | null;
  /** How the point is shown, besides a frame around its cell where that is large enough. */
  mark: 'cross' | 'ring' | null;
  /** Whether the wheel always zooms. */
  eager?: boolean;
  children: ReactNode;
}

/** A frame onto a picture that zooms and pans, with a cursor. */
export function Stage(props: StageProps) {
  const { label, map, ratio, zoom, point, mark, eager = false, children, ...handlers } = props;
  const size = useElementSize<HTMLDivElement>();
  const frame = useRef<HTMLDivElement>(null);
  useGestures(frame, zoom, eager);
  const cell = map ? (size.width * zoom.view.scale) / map.width : 0;
  return (
    <div
      ref={useMergedRef(size.ref, frame)}
      className={styles.stage}
      style={{ '--ratio': shownRatio(ratio) } as object}
      data-crisp={cell >= CRISP || undefined}
      data-zoomed={zoom.view.scale > 1 || undefined}
      role="application"
      aria-label={label}
      tabIndex={map ? 0 : -1}
      {...handlers}
    >
      <div className={styles.sheet} style={{ transform: transformOf(zoom.view) }}>
        {children}
      </div>
      {map && point && mark === 'cross' && <Cross place={placeOf(zoom.view, middleOf(point, map))} />}
      {map && point && (
        <Cursor point={point} map={map} view={zoom.view} mark={cell >= SEEN ? 'cell' : mark} />
      )}
    </div>
  );
}

export function isStretched(ratio: number): boolean {
  return shownRatio(ratio) !== ratio;
}

function shownRatio(ratio: number): number {
  return Math.min(WIDEST, Math.max(NARROWEST, ratio));
}

/** Lines over the whole frame that cross at a place. */
function Cross({ place: { x, y } }: { place: Place }) {
  return (
    <>
      <div className={styles.across} style={{ top: `${100 * y}%` }} />
      <div className={styles.down} style={{ left: `${100 * x}%` }} />
    </>
  );
}

interface CursorProps {
  point: Point;
  map: AttributionMap;
  view: Viewport;
  mark: 'cell' | StageProps['mark'];
}

/** A frame around a cell that can be seen; a ring around one that cannot, where it is asked for. */
function Cursor({ point, map, view, mark }: CursorProps) {
  const { x, y } = placeOf(view, middleOf(point, map));
  const percent = (share: number) => `${100 * share}%`;
  const at = { left: percent(x), top: percent(y) };
  if (mark === 'ring') return <div className={styles.ring} style={at} />;
  if (mark !== 'cell') return null;
  const size = { width: percent(view.scale / map.width), height: percent(view.scale / map.height) };
  return <div className={styles.cell} style={{ ...at, ...size }} />;
}
