import type { ReactNode } from 'react';
import type { Attribution, MethodInfo, Prediction, Sample, Workspace } from '../../api/schema';
import { number, score as scoreText } from '../../base/format';
import type { Explanation } from '../../state/explanation';
import { isExplicable, useQuestion, useTask } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { JobNote } from '../common/JobNote';
import styles from './Understand.module.css';
import { Verdict } from './Verdict';

interface AnswerProps {
  sample: Sample;
  explanation: Explanation;
  method: MethodInfo;
  /** Shows how far to trust it. */
  onTrust: () => void;
}

/** What was predicted, what is true, and what exactly is explained, or how far that is. */
export function Answer({ sample, explanation, method, onTrust }: AnswerProps) {
  const { question } = useQuestion();
  const task = useTask();
  const { methods, default_method, default_reason } = useWorkspace();
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
      {isExplicable(sample, question.model) && <JobNote explanation={explanation} />}
      {attribution && state === 'done' && (
        <p className={styles.explained}>
          {answered.title} of {inWords(attribution, task)}
          <Numbers output={attribution.output} score={scoreOf(prediction, attribution)}>
            <Verdict attribution={attribution} method={answered} onMore={onTrust} />
          </Numbers>
        </p>
      )}
      {method.name === default_method && default_reason && <p className={styles.hint}>{default_reason}</p>}
    </div>
  );
}

interface NumbersProps {
  output: number | null;
  score: number | null | undefined;
  children: ReactNode;
}

/** The number that is explained, and beside it what samples are ranked by, where that is another. */
function Numbers({ output, score, children }: NumbersProps) {
  return (
    <span className={styles.numbers}>
      <span title="What the model returns, before score_func: this number is explained.">
        Output <b>{number(output)}</b>
      </span>
      {score !== undefined && !isSame(output, score) && (
        <span title="What score_func makes of the outputs: samples are ranked and classes compared by it.">
          Score <b>{scoreText(score)}</b>
        </span>
      )}
      {children}
    </span>
  );
}

/** "the output for class ‘cat’ less that for ‘dog’, at layer4": what exactly is explained, and where. */
function inWords({ target, against, layer }: Attribution, task: Workspace['task']): string {
  const at = layer ? `, at ${layer.name}` : '';
  if (target.index === null) return `${target.name}${at}`;
  if (task === 'regression') return `the output${at}`;
  const less = against ? ` less that for ‘${against.name}’` : '';
  return `the output for class ‘${target.name}’${less}${at}`;
}

/** Whether score_func left the output as it is, but for rounding. */
function isSame(output: number | null, score: number | null): boolean {
  if (output === null || score === null) return output === score;
  return Math.abs(output - score) <= 1e-4 * Math.max(1, Math.abs(output));
}

/** The score of the class explained, where it is among those listed, and explained by itself. */
function scoreOf(
  prediction: Prediction | undefined,
  { target, against }: Attribution,
): number | null | undefined {
  if (against) return undefined;
  return prediction?.classes.find(({ index }) => index === target.index)?.score;
}
