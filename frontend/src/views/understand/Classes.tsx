import type { Sample } from '../../api/schema';
import { useQuestion, useTask } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { ClassRows } from '../common/ClassRows';
import { Section } from '../common/Section';
import styles from './Understand.module.css';

const SHOWN = 8;
const FEW = 12; // classes, of which all are shown

/** The models' classes with scores; a click explains another one. */
export function Classes({ sample, explained }: { sample: Sample; explained: number | null | undefined }) {
  const { question, change } = useQuestion();
  const task = useTask();
  const { models, classes } = useWorkspace();
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
    </Section>
  );
}
