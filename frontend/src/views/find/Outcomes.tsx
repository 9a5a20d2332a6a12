import { UnstyledButton } from '@mantine/core';
import { IconCheck, IconX } from '@tabler/icons-react';
import type { Summary } from '../../api/schema';
import { OUTCOMES } from '../../api/values';
import { count, percent } from '../../base/format';
import type { Outcome } from '../../state/location';
import { useQuestion } from '../../state/question';
import styles from './Find.module.css';

const TITLES: Record<Outcome, string> = { all: 'All', correct: 'Correct', incorrect: 'Incorrect' };

/** All, correct or incorrect, with counts; and the accuracy in words. */
export function Outcomes({ summary }: { summary: Summary }) {
  const { question, change } = useQuestion();
  const { correct, incorrect, progress } = summary;
  const counts: Record<Outcome, number> = { all: progress.scanned, correct, incorrect };
  return (
    <>
      <div className={styles.outcomes} role="group" aria-label="Outcome">
        {OUTCOMES.map((outcome) => (
          <UnstyledButton
            key={outcome}
            className={styles.outcome}
            aria-pressed={question.outcome === outcome}
            onClick={() => change({ outcome })}
          >
            <span>
              {outcome === 'correct' && <IconCheck size={13} stroke={2.4} aria-hidden />}
              {outcome === 'incorrect' && <IconX size={13} stroke={2.4} aria-hidden />}
              {TITLES[outcome]}
            </span>
            <b>{count(counts[outcome])}</b>
          </UnstyledButton>
        ))}
      </div>
      <p className={styles.note}>{accuracy(correct, incorrect)}</p>
    </>
  );
}

/** "883 of 899 correct, 98.2 %". */
function accuracy(correct: number, incorrect: number): string {
  const labelled = correct + incorrect;
  return `${count(correct)} of ${count(labelled)} correct, ${percent(correct / labelled)}`;
}
