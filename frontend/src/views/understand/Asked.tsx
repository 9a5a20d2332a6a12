import { Select } from '@mantine/core';
import { useMemo } from 'react';
import type { Sample } from '../../api/schema';
import { requestFor, useQuestion, useTask } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import styles from './Understand.module.css';

const OFFERED = 50; // options drawn at once while searching
const CLASS = 'class ';
const FUNCTION = 'function ';

/** What is explained of the sample: a class, or a function of the outputs; and the class that it is explained against. */
export function Asked({ sample }: { sample: Sample }) {
  const { classes, targets, explains_label } = useWorkspace();
  const { question, change } = useQuestion();
  const task = useTask();
  const options = useMemo(() => classes.map((name, i) => ({ value: CLASS + i, label: name })), [classes]);
  const functions = targets.map((name) => ({ value: FUNCTION + name, label: name }));
  const { target, against } = requestFor(question, sample);
  const predicted = sample.predictions.find(({ model }) => model === question.model)?.predicted;
  const usual = (explains_label ? sample.label : null) ?? predicted;
  const explained = target ?? usual?.index ?? null;
  if (!question.method.uses_target || classes.length + targets.length < 2) return null;
  const choose = (value: string | null) => {
    if (value?.startsWith(FUNCTION)) change({ function: value.slice(FUNCTION.length), target: null });
    else if (value) change({ sample: sample.index, target: placeIn(value) });
  };
  const contrast = (value: string | null) => {
    if (typeof explained !== 'number') return;
    change({ sample: sample.index, target: explained, against: value === null ? null : placeIn(value) });
  };
  return (
    <div className={styles.asked}>
      <span aria-hidden>Why</span>
      <Select
        searchable
        allowDeselect={false}
        aria-label={task === 'regression' ? 'Output asked about' : 'Class asked about'}
        data={
          functions.length
            ? [group('Functions of the outputs', functions), group('Classes', options)]
            : options
        }
        limit={OFFERED}
        value={explained === null ? null : (typeof explained === 'string' ? FUNCTION : CLASS) + explained}
        onChange={choose}
        nothingFoundMessage="No class of that name"
      />
      {typeof explained === 'number' && classes.length > 1 && (
        <>
          <span aria-hidden>and not</span>
          <Select
            searchable
            clearable
            aria-label="Class it is explained against"
            placeholder="any other"
            data={options.filter(({ value }) => value !== CLASS + explained)}
            limit={OFFERED}
            value={against === null ? null : CLASS + against}
            onChange={contrast}
            nothingFoundMessage="No class of that name"
          />
        </>
      )}
    </div>
  );
}

function group(name: string, items: { value: string; label: string }[]) {
  return { group: name, items };
}

function placeIn(value: string): number {
  return Number(value.slice(CLASS.length));
}
