import { Select } from '@mantine/core';
import { useMemo } from 'react';
import type { Sample } from '../../api/schema';
import { plural } from '../../base/format';
import { useQuestion, useTask } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { ClassRows } from '../common/ClassRows';
import { Section } from '../common/Section';
import styles from './Understand.module.css';

const SHOWN = 8;
const FEW = 12; // classes, of which all are shown
const OFFERED = 50; // options drawn at once while searching

/** The models' classes with scores; a click, or a search among all of them, explains another one. */
export function Classes({ sample, explained }: { sample: Sample; explained: number | null | undefined }) {
  const { question, change } = useQuestion();
  const task = useTask();
  const { models, classes } = useWorkspace();
  const explain = (target: number) => change({ sample: sample.index, target });
  if (sample.predictions.length === 0) return null;
  return (
    <Section
      title={task === 'regression' ? 'Outputs' : 'Classes by score'}
      aside={classes.length > 1 && <span className={styles.hint}>click to explain</span>}
    >
      {sample.predictions.map((prediction) => (
        <div key={prediction.model}>
          {models.length > 1 && <h3 className={styles.name}>{models[prediction.model]?.name}</h3>}
          <ClassRows
            prediction={prediction}
            label={sample.label}
            explained={prediction.model === question.model ? explained : undefined}
            limit={classes.length <= FEW ? FEW : SHOWN}
            onExplain={(target) => change({ model: prediction.model, sample: sample.index, target })}
          />
        </div>
      ))}
      <AnyClass
        explained={explained}
        onExplain={explain}
        shown={sample.predictions[0]?.classes.length ?? 0}
      />
    </Section>
  );
}

interface AnyClassProps {
  explained: number | null | undefined;
  shown: number;
  onExplain: (target: number) => void;
}

function AnyClass({ explained, shown, onExplain }: AnyClassProps) {
  const { classes } = useWorkspace();
  const data = useMemo(() => classes.map((name, i) => ({ value: String(i), label: name })), [classes]);
  if (classes.length <= Math.min(shown, classes.length <= FEW ? FEW : SHOWN)) return null;
  return (
    <Select
      searchable
      aria-label="Explain any class"
      placeholder={`Explain any of ${plural(classes.length, 'class', 'classes')}`}
      data={data}
      limit={OFFERED}
      maxDropdownHeight={240}
      value={explained == null ? null : String(explained)}
      onChange={(value) => value !== null && onExplain(Number(value))}
      nothingFoundMessage="No class of that name"
    />
  );
}
