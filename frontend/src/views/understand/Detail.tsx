import { useMemo, useRef } from 'react';
import type { Sample } from '../../api/schema';
import { SignedContext, useView } from '../../state/display';
import { useExplanation } from '../../state/explanation';
import { isExplicable, requestFor, useQuestion } from '../../state/question';
import { Contributions } from '../common/Contributions';
import { ErrorNote } from '../common/ErrorNote';
import { meantBy } from '../common/meant';
import { Section } from '../common/Section';
import { ViewChoice } from '../common/ViewChoice';
import { Methods } from '../compare/Methods';
import { Models } from '../compare/Models';
import { FeatureView } from '../feature/FeatureView';
import { Answer } from './Answer';
import { Asked } from './Asked';
import { Channels } from './Channels';
import { Classes } from './Classes';
import { Controls } from './Controls';
import { FirstVisit } from './FirstVisit';
import { Trust } from './Trust';
import styles from './Understand.module.css';

/** Everything about one sample and its explanation. */
export function Detail({ sample }: { sample: Sample }) {
  const { question } = useQuestion();
  const request = useMemo(() => requestFor(question, sample), [question, sample]);
  const explicable = isExplicable(sample, question.model) && question.ready;
  const explanation = useExplanation(request, explicable);
  const { attribution, stale } = explanation;
  const maps = attribution?.inputs.flatMap((input) => (input.kind === 'image' ? input.maps : [])) ?? [];
  const view = useView(maps[0] ? maps[0].unit === 'layer' : question.method.place === 'layer');
  const colored = view === 'map' || view === 'overlay' || sample.inputs.some(({ kind }) => kind !== 'image');
  const trust = useRef<HTMLDivElement>(null);
  const showTrust = () => {
    trust.current?.scrollIntoView({ block: 'center' });
    trust.current?.focus({ preventScroll: true });
  };
  return (
    <SignedContext value={attribution?.signed ?? true}>
      {sample.error && (
        <div className={styles.part}>
          <ErrorNote error={sample.error} />
        </div>
      )}
      <div className={styles.columns}>
        <div className={styles.part}>
          <Asked sample={sample} />
          <Answer sample={sample} explanation={explanation} method={question.method} onTrust={showTrust} />
          {sample.inputs.some((input) => input.kind === 'image') && <ViewChoice view={view} />}
          <div className={styles.inputs} data-stale={stale || undefined}>
            {sample.inputs.map((input, i) => (
              <div key={i} className={styles.input}>
                {sample.inputs.length > 1 && <h3 className={styles.name}>{input.name}</h3>}
                <FeatureView
                  input={input}
                  attribution={attribution?.inputs[i]}
                  size="panel"
                  target={attribution && meantBy(attribution)}
                  place={i}
                />
              </div>
            ))}
          </div>
          {attribution && explanation.state === 'done' && colored && <FirstVisit attribution={attribution} />}
          <Controls sample={sample} attribution={attribution} view={view} />
          {attribution?.layer && <Channels layer={attribution.layer} />}
        </div>
        <div>
          <div ref={trust} className={styles.target} tabIndex={-1}>
            {attribution && <Trust attribution={attribution} stale={stale} />}
          </div>
          {attribution && sample.inputs.length > 1 && (
            <Section
              title="Contribution of each input"
              aside={<span className={styles.hint}>share of |a| · signed sum</span>}
            >
              <Contributions inputs={attribution.inputs} />
            </Section>
          )}
          {explicable && <Methods sample={sample} lead={attribution} />}
          {!sample.error && <Models sample={sample} lead={attribution} />}
          <Classes sample={sample} explained={attribution?.target.index} />
        </div>
      </div>
    </SignedContext>
  );
}
