import type { MethodInfo, Sample } from '../../api/schema';
import { number } from '../../base/format';
import type { Explanation } from '../../state/explanation';
import { useQuestion, useTask } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { JobNote } from '../common/JobNote';
import styles from './Understand.module.css';

interface AnswerProps {
  sample: Sample;
  explanation: Explanation;
  method: MethodInfo;
}

/** What was predicted, what is true, and what exactly is explained, or how far that is. */
export function Answer({ sample, explanation, method }: AnswerProps) {
  const { question } = useQuestion();
  const task = useTask();
  const { methods } = useWorkspace();
  const { attribution, state } = explanation;
  const prediction = sample.predictions.find((each) => each.model === question.model);
  const answered = methods.find((each) => each.name === attribution?.method) ?? method;
  return (
    <div className={styles.answer}>
      {prediction?.predicted && (
        <p>
          Predicted <b>{prediction.predicted.name}</b>
          {sample.label && (
            <>
              , true <b>{sample.label.name}</b>
            </>
          )}
        </p>
      )}
      {!sample.error && <JobNote explanation={explanation} />}
      {attribution && state === 'done' && (
        <p className={styles.explained}>
          {answered.title} of the output{task !== 'regression' && <> for class ‘{attribution.target.name}’</>}{' '}
          = <b>{number(attribution.output)}</b>
        </p>
      )}
    </div>
  );
}
