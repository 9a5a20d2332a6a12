import { UnstyledButton } from '@mantine/core';
import { IconArrowRight } from '@tabler/icons-react';
import type { ConfusionCell, Summary } from '../../api/schema';
import { count, plural } from '../../base/format';
import { useQuestion } from '../../state/question';
import { className, useWorkspace } from '../../state/workspace';
import { Name } from '../common/Name';
import { Section } from '../common/Section';
import { ConfusionMatrix } from './ConfusionMatrix';
import styles from './Find.module.css';

const MATRIX_UP_TO = 20;
const LISTED = 10;

/** What is taken for what: a matrix for few classes, the commonest confusions for many, or for labels beyond them. */
export function Confusions({ summary }: { summary: Summary }) {
  const { question, change } = useQuestion();
  const { classes } = useWorkspace();
  const { predicted, actual } = question;
  const isSet = (cell: ConfusionCell) =>
    predicted.length === 1 &&
    actual.length === 1 &&
    predicted[0] === cell.predicted &&
    actual[0] === cell.actual;
  const toggle = (cell: ConfusionCell) =>
    change(
      isSet(cell)
        ? { predicted: [], actual: [] }
        : { predicted: [cell.predicted], actual: [cell.actual], outcome: 'all' },
    );
  const inMatrix = (cell: ConfusionCell) => cell.actual < classes.length && cell.predicted < classes.length;
  if (classes.length <= MATRIX_UP_TO && summary.confusion.every(inMatrix)) {
    return (
      <Section title="Confusion matrix">
        <ConfusionMatrix cells={summary.confusion} isSet={isSet} onToggle={toggle} />
      </Section>
    );
  }
  const mistakes = summary.confusion
    .filter((cell) => cell.actual !== cell.predicted)
    .sort((a, b) => b.count - a.count)
    .slice(0, LISTED);
  return (
    <Section title="Most common confusions">
      {mistakes.length === 0 && <p className={styles.note}>No mistake so far.</p>}
      <ul className={styles.confusions}>
        {mistakes.map((cell) => (
          <li key={`${cell.actual} ${cell.predicted}`}>
            <UnstyledButton
              className={styles.confusion}
              aria-pressed={isSet(cell)}
              aria-label={`True ${className(classes, cell.actual)}, predicted ${className(classes, cell.predicted)}: ${plural(cell.count, 'sample')}`}
              onClick={() => toggle(cell)}
            >
              <Name text={className(classes, cell.actual)} />
              <IconArrowRight size={12} aria-hidden />
              <Name text={className(classes, cell.predicted)} />
              <b>{count(cell.count)}</b>
            </UnstyledButton>
          </li>
        ))}
      </ul>
    </Section>
  );
}
