import { lazy, Suspense } from 'react';
import { Failure } from '../../api/failure';
import { count, number, plural } from '../../base/format';
import { sentence } from '../../base/sentence';
import type { useSummary } from '../../state/data';
import { useTask } from '../../state/question';
import { ErrorBoundary } from '../common/ErrorBoundary';
import { Section } from '../common/Section';
import { ClassFilter } from './ClassFilter';
import { Confusions } from './Confusions';
import styles from './Find.module.css';
import { Outcomes } from './Outcomes';

const Scores = lazy(() => import('./Scores'));

/** Narrows down: outcome, classes, confusions, scores, with the counts of what was scanned. */
export function Find({ query }: { query: ReturnType<typeof useSummary> }) {
  const task = useTask();
  const { data: summary, error } = query;
  if (error && !summary)
    return <p className={styles.wait}>No counts: {sentence(Failure.from(error).message)}</p>;
  if (!summary) return <p className={styles.wait}>Counting…</p>;
  const judged = summary.correct + summary.incorrect > 0;
  const { scanned, labelled } = summary.progress;
  const regression = task === 'regression';
  return (
    <>
      {!regression && (
        <Section title="Outcome">
          {judged ? (
            <Outcomes summary={summary} />
          ) : (
            <p className={styles.note}>{withoutOutcome(scanned, labelled)}</p>
          )}
        </Section>
      )}
      {!regression && scanned > 0 && <ClassFilter summary={summary} labelled={judged} />}
      {!regression && judged && <Confusions summary={summary} />}
      {summary.scores && (
        <Section title={regression ? 'Outputs' : 'Best score'}>
          <ErrorBoundary fallback={<p className={styles.note}>The plot could not be loaded.</p>}>
            <Suspense fallback={<div className={styles.plot} />}>
              <Scores histogram={summary.scores} />
            </Suspense>
          </ErrorBoundary>
          {summary.mean_absolute_error !== null && (
            <p className={styles.note}>
              Off by {number(summary.mean_absolute_error)} on average (mean absolute error of{' '}
              {count(labelled)} with a true value)
            </p>
          )}
        </Section>
      )}
    </>
  );
}

/** Why nothing is right or wrong. */
function withoutOutcome(scanned: number, labelled: number): string {
  if (scanned === 0) return 'Nothing scanned yet.';
  if (labelled > 0)
    return `No outcomes: none of the ${plural(labelled, 'labelled sample')} could be predicted.`;
  return `No labels: the ${plural(scanned, 'sample')} scanned say nothing of what is right.`;
}
