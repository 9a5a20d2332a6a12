import { UnstyledButton } from '@mantine/core';
import type { ClassRef, ClassScore, Prediction } from '../../api/schema';
import { score } from '../../base/format';
import styles from './ClassRows.module.css';
import { Name } from './Name';

interface ClassRowsProps {
  prediction: Prediction;
  label: ClassRef | null;
  explained: number | null | undefined;
  limit: number;
  onExplain: (target: number) => void;
  /** Whether Tab stops at each class. */
  stops?: boolean;
}

/** The best classes and the true one with their scores; a click explains a class. */
export function ClassRows({ prediction, label, explained, limit, onExplain, stops = true }: ClassRowsProps) {
  const rows = shownClasses(prediction.classes, limit, [label?.index, explained]);
  const scale = Math.max(1, ...prediction.classes.map((each) => each.score ?? 0));
  return (
    <ul className={styles.rows} aria-label="Classes with scores">
      {rows.map((each) => (
        <li key={each.index}>
          <UnstyledButton
            className={styles.row}
            tabIndex={stops ? 0 : -1}
            data-explained={each.index === explained || undefined}
            aria-pressed={each.index === explained}
            aria-label={`Explain ${each.name}, ${each.index === label?.index ? 'the true class, ' : ''}score ${score(each.score)}`}
            onClick={() => onExplain(each.index)}
          >
            <Name className={styles.name} text={each.name} />
            {each.index === label?.index && <span className={styles.tag}>true</span>}
            <span className={styles.score}>{score(each.score)}</span>
            <span className={styles.track}>
              <span style={{ width: `${(100 * Math.max(0, each.score ?? 0)) / scale}%` }} />
            </span>
          </UnstyledButton>
        </li>
      ))}
    </ul>
  );
}

/** The first `limit` classes, the last of them giving way to those that must be seen. */
function shownClasses(
  classes: ClassScore[],
  limit: number,
  wanted: (number | null | undefined)[],
): ClassScore[] {
  const first = classes.slice(0, limit);
  const missing = classes.slice(limit).filter((each) => wanted.includes(each.index));
  return [...first.slice(0, Math.max(1, limit - missing.length)), ...missing];
}
