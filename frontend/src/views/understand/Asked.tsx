import { Select } from '@mantine/core';
import { useMemo } from 'react';
import type { Attribution, Sample } from '../../api/schema';
import { useQuestion, useTask } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import styles from './Understand.module.css';

const OFFERED = 50; // options drawn at once while searching
const CLASS = 'class ';
const FUNCTION = 'function ';

/** What is explained of the sample: a class, or a function of the outputs; and the class that it is explained against. */
export function Asked({ sample, attribution }: { sample: Sample; attribution: Attribution | undefined }) {
  const { classes, targets } = useWorkspace();
  const { question, change } = useQuestion();
  const task = useTask();
  const options = useMemo(() => classes.map((name, i) => ({ value: CLASS + i, label: name })), [classes]);
  const functions = targets.map((name) => ({ value: FUNCTION + name, label: name }));
  const explained = attribution?.target.index ?? null;
  const against = attribution?.against?.index ?? null;
  const isFunction = question.function !== null && question.target === null;
  if (!question.method.uses_target || classes.length + targets.length < 2) return null;
  const choose = (value: string | null) => {
    if (value?.startsWith(FUNCTION)) change({ function: value.slice(FUNCTION.length), target: null });
    else if (value) change({ sample: sample.index, target: placeIn(value) });
  };
  const contrast = (value: string | null) => {
    const rival = value === null ? null : placeIn(value);
    change({ sample: sample.index, target: explained, against: rival });
  };
  return (
    <div className={styles.asked}>
      <span aria-hidden>Why</span>
      <Select
        searchable
        allowDeselect={false}
        aria-label={task === 'regression' ? 'Output explained' : 'Class explained here'}
        data={
          functions.length
            ? [group('Functions of the outputs', functions), group('Classes', options)]
            : options
        }
        limit={OFFERED}
        value={isFunction ? FUNCTION + question.function : explained === null ? null : CLASS + explained}
        onChange={choose}
        nothingFoundMessage="No class of that name"
      />
      {!isFunction && classes.length > 1 && (
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
