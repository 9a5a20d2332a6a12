import type { ClassRef, MethodInfo, Prediction, Sample } from '../../api/schema';
import { number, score as scoreText } from '../../base/format';
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
          {answered.title} of the output{task !== 'regression' && <> for class ‘{attribution.target.name}’</>}
          <Numbers output={attribution.output} score={scoreOf(prediction, attribution.target)} />
        </p>
      )}
    </div>
  );
}

/** The number that is explained, and beside it what samples are ranked by, where that is another. */
function Numbers({ output, score }: { output: number | null; score: number | null | undefined }) {
  const [raw, ranked] = [number(output), score === undefined ? undefined : scoreText(score)];
  const same = ranked === undefined || (output !== null && score === output) || ranked === raw;
  return (
    <span className={styles.numbers}>
      <span title="What the model returns, before score_func: this number is explained.">
        Output <b>{raw}</b>
      </span>
      {!same && (
        <span title="What score_func makes of the outputs: samples are ranked and classes compared by it.">
          Score <b>{ranked}</b>
        </span>
      )}
    </span>
  );
}

/** The score of the class explained, where it is among those listed. */
function scoreOf(prediction: Prediction | undefined, target: ClassRef): number | null | undefined {
  return prediction?.classes.find(({ index }) => index === target.index)?.score;
}
