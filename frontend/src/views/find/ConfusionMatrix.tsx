// biome-ignore-all lint/a11y/useFocusableInteractive: only the cells of the grid take the focus
import { UnstyledButton, VisuallyHidden } from '@mantine/core';
import { type KeyboardEvent, useRef, useState } from 'react';
import type { ConfusionCell } from '../../api/schema';
import { plural } from '../../base/format';
import { useWorkspace } from '../../state/workspace';
import styles from './ConfusionMatrix.module.css';

const FLAT_UP_TO = 4; // classes, beyond which names stand upright over their columns
const COUNTS_UP_TO = 12; // classes, beyond which a cell has no room for its count

interface ConfusionMatrixProps {
  cells: ConfusionCell[];
  isSet: (cell: ConfusionCell) => boolean;
  onToggle: (cell: ConfusionCell) => void;
}

/** True classes down, predicted across; mistakes stand out, the diagonal stays quiet. Arrow keys move. */
export function ConfusionMatrix({ cells, ...how }: ConfusionMatrixProps) {
  const { classes } = useWorkspace();
  const { at, grid, move, setAt } = useGridKeys(classes.length);
  const size = classes.length;
  const short = abbreviations(classes, roomFor(size));
  const upright = size > FLAT_UP_TO && short.some((name) => name.length > 2);
  const worst = Math.max(1, ...cells.filter((c) => c.actual !== c.predicted).map((c) => c.count));
  return (
    <div className={styles.frame} style={{ maxWidth: 72 + size * 48 }}>
      <span className={styles.across} aria-hidden>
        predicted
      </span>
      <span className={styles.down} aria-hidden>
        true
      </span>
      <div
        ref={grid}
        role="grid"
        aria-label="Confusion matrix: true classes down, predicted classes across"
        className={styles.grid}
        style={{ gridTemplateColumns: `minmax(12px, max-content) repeat(${size}, minmax(0, 1fr))` }}
        onKeyDown={move}
      >
        <Heads short={short} upright={upright} />
        {rowsOf(cells, size).map((row, actual) => (
          <div key={actual} role="row" className={styles.row}>
            <span role="rowheader" className={styles.name} title={classes[actual]}>
              {short[actual]}
            </span>
            {row.map((cell) => (
              <Cell
                key={cell.predicted}
                cell={cell}
                worst={worst}
                upright={upright}
                reached={cell.actual === at.actual && cell.predicted === at.predicted}
                onReach={setAt}
                {...how}
              />
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

/** The predicted classes over their columns. */
function Heads({ short, upright }: { short: string[]; upright: boolean }) {
  const { classes } = useWorkspace();
  return (
    <div role="row" className={styles.row} data-upright={upright || undefined}>
      <span role="columnheader">
        <VisuallyHidden>true class</VisuallyHidden>
      </span>
      {classes.map((name, i) => (
        <span key={i} role="columnheader" className={styles.column} title={name}>
          {short[i]}
        </span>
      ))}
    </div>
  );
}

interface CellProps extends Omit<ConfusionMatrixProps, 'cells'> {
  cell: ConfusionCell;
  /** The largest count of a mistake. */
  worst: number;
  upright: boolean;
  /** Whether Tab leads here. */
  reached: boolean;
  onReach: (cell: ConfusionCell) => void;
}

function Cell({ cell, worst, upright, reached, onReach, isSet, onToggle }: CellProps) {
  const { classes } = useWorkspace();
  const { actual, predicted, count } = cell;
  const words = `True ${classes[actual]}, predicted ${classes[predicted]}`;
  return (
    <span role="gridcell" className={styles.cell}>
      <UnstyledButton
        className={styles.button}
        data-cell={`${actual} ${predicted}`}
        data-diagonal={actual === predicted || undefined}
        data-empty={count === 0 || undefined}
        data-long={(upright && count >= 100) || undefined}
        style={actual === predicted ? undefined : { '--heat': heat(count, worst) }}
        tabIndex={reached ? 0 : -1}
        aria-pressed={isSet(cell)}
        aria-label={`${words}: ${plural(count, 'sample')}`}
        title={`${words}: ${plural(count, 'sample')}`}
        onFocus={() => onReach(cell)}
        onClick={() => onToggle(cell)}
      >
        {classes.length <= COUNTS_UP_TO && inCell(count)}
      </UnstyledButton>
    </span>
  );
}

/** A cell for every pair of classes, also where none was counted. */
function rowsOf(cells: ConfusionCell[], size: number): ConfusionCell[][] {
  const counts = new Map(cells.map((cell) => [cell.actual * size + cell.predicted, cell.count]));
  const places = Array.from({ length: size }, (_, i) => i);
  return places.map((actual) =>
    places.map((predicted) => ({ actual, predicted, count: counts.get(actual * size + predicted) ?? 0 })),
  );
}

type Place = Pick<ConfusionCell, 'actual' | 'predicted'>;

/** The cell that Tab leads to; arrow keys move it, and the focus with it. */
function useGridKeys(size: number) {
  const [at, setAt] = useState<Place>({ actual: 0, predicted: 0 });
  const grid = useRef<HTMLDivElement>(null);
  const within = (place: number) => Math.min(size - 1, Math.max(0, place));
  const move = (event: KeyboardEvent) => {
    const step = MOVES[event.key];
    if (!step) return;
    event.preventDefault();
    const next = { actual: within(at.actual + step[0]), predicted: within(at.predicted + step[1]) };
    setAt(next);
    grid.current?.querySelector<HTMLElement>(`[data-cell="${next.actual} ${next.predicted}"]`)?.focus();
  };
  return { at, grid, move, setAt };
}

const MOVES: Record<string, readonly [down: number, across: number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** Three letters at most: 12, 345, 6k. */
function inCell(count: number): string {
  if (count === 0) return '';
  return count < 1000 ? String(count) : `${Math.round(count / 1000)}k`;
}

/** A square root, so that single mistakes are seen beside common ones. */
function heat(value: number, worst: number): string {
  return value === 0 ? '0%' : `${Math.round(15 + 60 * Math.sqrt(value / worst))}%`;
}

/** Names that fit into `room` letters: whole, or cut; cut in the middle where others begin alike. */
export function abbreviations(names: string[], room: number): string[] {
  const cut = (name: string) => `${name.slice(0, room - 1).trimEnd()}…`;
  const inside = (name: string) => `${name.slice(0, room - 3).trimEnd()}…${name.slice(-2)}`;
  const count = new Map<string, number>();
  for (const name of names) count.set(cut(name), (count.get(cut(name)) ?? 0) + 1);
  return names.map((name) => {
    if (name.length <= room) return name;
    return (count.get(cut(name)) ?? 0) > 1 && room > 4 ? inside(name) : cut(name);
  });
}

/** How many letters a name may have beside the cells. */
function roomFor(size: number): number {
  return size <= 12 ? 9 : 7;
}
