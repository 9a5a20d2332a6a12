// biome-ignore-all lint/a11y/useFocusableInteractive: only the cells of the grid take the focus
import { UnstyledButton, VisuallyHidden } from '@mantine/core';
import { type KeyboardEvent, useRef, useState } from 'react';
import type { ConfusionCell } from '../../api/schema';
import { plural } from '../../render/format';
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
export function ConfusionMatrix({ cells, isSet, onToggle }: ConfusionMatrixProps) {
  const { classes } = useWorkspace();
  const [at, setAt] = useState({ actual: 0, predicted: 0 });
  const grid = useRef<HTMLDivElement>(null);
  const size = classes.length;
  const short = abbreviations(classes, roomFor(size));
  const upright = size > FLAT_UP_TO && short.some((name) => name.length > 2);
  const counts = new Map(cells.map((cell) => [cell.actual * size + cell.predicted, cell.count]));
  const worst = Math.max(1, ...cells.filter((c) => c.actual !== c.predicted).map((c) => c.count));
  const move = (event: KeyboardEvent) => {
    const step = MOVES[event.key];
    if (!step) return;
    event.preventDefault();
    const next = {
      actual: Math.min(size - 1, Math.max(0, at.actual + step[0])),
      predicted: Math.min(size - 1, Math.max(0, at.predicted + step[1])),
    };
    setAt(next);
    grid.current?.querySelector<HTMLElement>(`[data-cell="${next.actual} ${next.predicted}"]`)?.focus();
  };
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
        <div role="row" className={styles.row} data-upright={upright || undefined}>
          <span role="columnheader">
            <VisuallyHidden>true class</VisuallyHidden>
          </span>
          {classes.map((name, i) => (
            <span key={name} role="columnheader" className={styles.column} title={name}>
              {short[i]}
            </span>
          ))}
        </div>
        {classes.map((name, actual) => (
          <div key={name} role="row" className={styles.row}>
            <span role="rowheader" className={styles.name} title={name}>
              {short[actual]}
            </span>
            {classes.map((other, predicted) => {
              const cell = { actual, predicted, count: counts.get(actual * size + predicted) ?? 0 };
              return (
                <span key={other} role="gridcell" className={styles.cell}>
                  <UnstyledButton
                    className={styles.button}
                    data-cell={`${actual} ${predicted}`}
                    data-diagonal={actual === predicted || undefined}
                    data-empty={cell.count === 0 || undefined}
                    data-long={(upright && cell.count >= 100) || undefined}
                    style={actual === predicted ? undefined : { '--heat': heat(cell.count, worst) }}
                    tabIndex={actual === at.actual && predicted === at.predicted ? 0 : -1}
                    aria-pressed={isSet(cell)}
                    aria-label={`True ${name}, predicted ${other}: ${plural(cell.count, 'sample')}`}
                    title={`True ${name}, predicted ${other}: ${cell.count}`}
                    onFocus={() => setAt({ actual, predicted })}
                    onClick={() => onToggle(cell)}
                  >
                    {size <= COUNTS_UP_TO && inCell(cell.count)}
                  </UnstyledButton>
                </span>
              );
            })}
          </div>
        ))}
      </div>
    </div>
  );
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
