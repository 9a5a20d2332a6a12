import { Select } from '@mantine/core';
import type { Explained } from '../../state/location';
import { useQuestion, useTask } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import styles from './Header.module.css';

const TITLES: Record<Explained, string> = {
  predicted: 'Why the predicted class',
  true: 'Why the true class',
  second: 'Why the runner-up',
  contrast: 'Why not another class',
};

const HINTS: Record<Explained, string> = {
  predicted: 'Why the model said what it said.',
  true: 'What speaks for and against what is right; where that is not known, for what was predicted.',
  second: 'What speaks for and against the class with the next best score.',
  contrast:
    'Why the predicted class and not its rival: the true class where the model is wrong, else the runner-up.',
};

const FUNCTION = 'function ';

/** What is explained, of every sample; a class chosen on one sample is that sample's alone. */
export function TargetField() {
  const { classes, targets, explains_label } = useWorkspace();
  const { question, change } = useQuestion();
  const task = useTask();
  const byClass = task !== 'regression' && classes.length > 1;
  if (!question.method.uses_target || (!byClass && targets.length === 0)) return null;
  const usual: string = explains_label ? 'true' : 'predicted';
  const choose = (value: string | null) => {
    if (value?.startsWith(FUNCTION)) change({ function: value.slice(FUNCTION.length), target: null });
    else change({ explain: value === usual ? null : (value as Explained), function: null, target: null });
  };
  const rules = byClass
    ? Object.entries(TITLES).map(([value, label]) => ({ value, label }))
    : [{ value: usual, label: 'Why the output' }];
  const functions = targets.map((name) => ({ value: FUNCTION + name, label: `Why ‘${name}’` }));
  return (
    <Select
      aria-label="Class explained"
      aria-keyshortcuts="e"
      className={styles.target}
      allowDeselect={false}
      comboboxProps={{ width: 280, position: 'bottom-end' }}
      data={[...rules, ...functions]}
      value={question.function === null ? (question.explain ?? usual) : FUNCTION + question.function}
      onChange={choose}
      renderOption={({ option }) => (
        <span className={styles.option}>
          <b>{option.label}</b>
          <small>{hint(option.value, byClass)}</small>
        </span>
      )}
    />
  );
}

function hint(value: string, byClass: boolean): string {
  if (value.startsWith(FUNCTION)) return 'A function of the outputs, given in Python.';
  return byClass ? HINTS[value as Explained] : '';
}
