import { Button } from '@mantine/core';
import type { Sample } from '../../api/schema';
import { passes, useQuestion } from '../../state/question';
import styles from './Understand.module.css';

/** Says why the list does not show the selected sample. */
export function Outside({ sample }: { sample: Sample }) {
  const { question, change } = useQuestion();
  if (passes(question, sample)) {
    return (
      <p className={styles.outside} role="note">
        Further down the list, which is loaded as you scroll.
      </p>
    );
  }
  const clear = () =>
    change({
      ...{ outcome: 'all', predicted: [], actual: [] },
      ...{ sample: sample.index, target: question.target, against: question.against },
    });
  return (
    <p className={styles.outside} data-tone="warn" role="note">
      Outside the filters: the list does not show this sample.
      <Button size="compact-xs" variant="default" onClick={clear}>
        Clear filters
      </Button>
    </p>
  );
}
