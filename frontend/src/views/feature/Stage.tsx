import { useElementSize, useMergedRef } from '@mantine/hooks';
import { type ComponentProps, type ReactNode, useRef } from 'react';
import { boxOf, type Cell, type Cells, middleOf } from '../../render/cells';
import { type Place, placeOf, transformOf, type Viewport } from '../../render/viewport';
import styles from './Stage.module.css';
import { useGestures, type Zoom } from './useZoom';

const CRISP = 4; // px from which on a pixel is worth a sharp edge
const SEEN = 6; // px from which on a cell can be framed
const NARROWEST = 0.4; // of width to height: what is narrower, or wider, is stretched
const WIDEST = 4;

interface StageProps extends ComponentProps<'div'> {
  label: string;
  cells: Cells | undefined;
  /** The picture's width over its height. */
  ratio: number;
  zoom: Zoom;
  point: Cell | null;
  /** How the point is shown, besides a frame around its cell where that is large enough. */
  mark: 'cross' | 'ring' | null;
  /** Whether the wheel always zooms. */
  eager?: boolean;
  children: ReactNode;
}

/** A frame onto a picture that zooms and pans, with a cursor. */
export function Stage(props: StageProps) {
  const { label, cells, ratio, zoom, point, mark, eager = false, children, ...handlers } = props;
  const size = useElementSize<HTMLDivElement>();
  const frame = useRef<HTMLDivElement>(null);
  useGestures(frame, zoom, eager);
  const pixel = cells ? (size.width * zoom.view.scale) / cells.width : 0;
  return (
    <div
      ref={useMergedRef(size.ref, frame)}
      className={styles.stage}
      style={{ '--ratio': shownRatio(ratio) } as object}
      data-crisp={pixel >= CRISP || undefined}
      data-zoomed={zoom.view.scale > 1 || undefined}
      role="application"
      aria-label={label}
      tabIndex={cells ? 0 : -1}
      {...handlers}
    >
      <div className={styles.sheet} style={{ transform: transformOf(zoom.view) }}>
        {children}
      </div>
      {cells && point && mark === 'cross' && <Cross place={placeOf(zoom.view, middleOf(point, cells))} />}
      {cells && point && (
        <Cursor
          point={point}
          cells={cells}
          view={zoom.view}
          mark={pixel * cells.side >= SEEN ? 'cell' : mark}
        />
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
  point: Cell;
  cells: Cells;
  view: Viewport;
  mark: 'cell' | StageProps['mark'];
}

/** A frame around a cell that can be seen; a ring around one that cannot, where it is asked for. */
function Cursor({ point, cells, view, mark }: CursorProps) {
  const { x, y } = placeOf(view, middleOf(point, cells));
  const percent = (share: number) => `${100 * share}%`;
  const at = { left: percent(x), top: percent(y) };
  if (mark === 'ring') return <div className={styles.ring} style={at} />;
  if (mark !== 'cell') return null;
  const { width, height } = boxOf(point, cells);
  const size = { width: percent(view.scale * width), height: percent(view.scale * height) };
  return <div className={styles.cell} style={{ ...at, ...size }} />;
}
