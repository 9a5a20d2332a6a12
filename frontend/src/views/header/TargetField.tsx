import { Select } from '@mantine/core';
import type { Explained } from '../../state/location';
import { useQuestion, useTask } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import styles from './Header.module.css';

const TITLES: Record<Explained, string> = {
  predicted: 'Why the predicted class',
  true: 'Why the true class',
  second: 'Why the runner-up',
};

const HINTS: Record<Explained, string> = {
  predicted: 'Why the model said what it said.',
  true: 'What speaks for and against what is right; where that is not known, for what was predicted.',
  second: 'What speaks for and against the class with the next best score.',
};

/** Which class is explained, of every sample; a class chosen on one sample is that sample's alone. */
export function TargetField() {
  const { classes, explains_label } = useWorkspace();
  const { question, change } = useQuestion();
  const task = useTask();
  if (task === 'regression' || classes.length < 2) return null;
  const usual = explains_label ? 'true' : 'predicted';
  return (
    <Select
      aria-label="Class explained"
      aria-keyshortcuts="e"
      className={styles.target}
      allowDeselect={false}
      comboboxProps={{ width: 260, position: 'bottom-end' }}
      data={Object.entries(TITLES).map(([value, label]) => ({ value, label }))}
      value={question.explain ?? usual}
      onChange={(value) => change({ explain: value === usual ? null : (value as Explained), target: null })}
      renderOption={({ option }) => (
        <span className={styles.option}>
          <b>{option.label}</b>
          <small>{HINTS[option.value as Explained]}</small>
        </span>
      )}
    />
  );
}
