import { UnstyledButton } from '@mantine/core';
import { memo, useCallback, useMemo } from 'react';
import type { Sample } from '../../api/schema';
import { number } from '../../base/format';
import { SignedContext } from '../../state/display';
import { useExplanation } from '../../state/explanation';
import { isExplicable, requestFor, useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { ClassRows } from '../common/ClassRows';
import { Contributions } from '../common/Contributions';
import { ErrorNote } from '../common/ErrorNote';
import frame from '../common/Frame.module.css';
import { JobNote } from '../common/JobNote';
import { Mark } from '../common/Mark';
import { Name } from '../common/Name';
import { Residual } from '../common/Residual';
import { FeatureView } from '../feature/FeatureView';
import styles from './Card.module.css';

const CLASSES = 3;

interface CardProps {
  sample: Sample;
  selected: boolean;
  /** Whether Tab stops here: at one card of the list, from which arrows go on; all else in it is in the panel, too. */
  stop: boolean;
  onSelect: (index: number) => void;
}

/** One sample: its inputs with their attribution, what the models say, and what it is. */
export const Card = memo(function Card({ sample, selected, stop, onSelect }: CardProps) {
  const { question, change } = useQuestion();
  const { models } = useWorkspace();
  const request = useMemo(() => requestFor(question, sample), [question, sample]);
  const explicable = isExplicable(sample, question.model) && question.ready;
  const explanation = useExplanation(request, explicable);
  const { attribution } = explanation;
  const prediction = sample.predictions.find((each) => each.model === question.model);
  const explain = useCallback(
    (target: number) => change({ sample: sample.index, target }),
    [change, sample.index],
  );
  return (
    <SignedContext value={attribution?.signed ?? true}>
      <article
        className={`${frame.frame} ${styles.card}`}
        data-selected={selected || undefined}
        aria-label={`Sample ${sample.index}`}
      >
        <header className={styles.head}>
          <UnstyledButton
            className={styles.select}
            data-sample={sample.index}
            tabIndex={stop ? 0 : -1}
            aria-pressed={selected}
            aria-label={`Sample ${sample.index}: show in detail`}
            onClick={() => onSelect(sample.index)}
          >
            #{sample.index}
          </UnstyledButton>
          {sample.label && <Name className={styles.label} text={`true ${sample.label.name}`} />}
          {sample.truth !== null && <span className={styles.label}>true {number(sample.truth)}</span>}
          <Mark correct={prediction?.correct ?? null} />
          <Residual prediction={prediction} />
        </header>
        {sample.error && <ErrorNote error={sample.error} />}
        <div className={styles.pending}>
          <div
            className={styles.inputs}
            data-stale={explanation.stale || undefined}
            data-many={sample.inputs.length > 1 || undefined}
          >
            {sample.inputs.map((input, i) => (
              <FeatureView key={i} input={input} attribution={attribution?.inputs[i]} size="card" />
            ))}
          </div>
          {explicable && <JobNote explanation={explanation} brief stops={false} />}
        </div>
        {attribution && sample.inputs.length > 1 && <Contributions inputs={attribution.inputs} />}
        {sample.predictions
          .filter((each) => models.length === 1 || each.model === question.model)
          .map((each) => (
            <ClassRows
              key={each.model}
              prediction={each}
              label={sample.label}
              explained={attribution?.target.index}
              limit={CLASSES}
              onExplain={explain}
              stops={false}
            />
          ))}
        {models.length > 1 && <OtherModels sample={sample} current={question.model} />}
      </article>
    </SignedContext>
  );
});

function OtherModels({ sample, current }: { sample: Sample; current: number }) {
  const { models } = useWorkspace();
  return (
    <ul className={styles.others}>
      {sample.predictions
        .filter((each) => each.model !== current)
        .map((each) => (
          <li key={each.model}>
            <Name text={models[each.model]?.name ?? ''} />
            <b>
              <Name text={each.predicted?.name ?? '–'} />
            </b>
            <Mark correct={each.correct} />
          </li>
        ))}
    </ul>
  );
}
