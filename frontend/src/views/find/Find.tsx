import { lazy, Suspense } from 'react';
import { Failure } from '../../api/failure';
import { count } from '../../base/format';
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
  if (error && !summary) return <p className={styles.wait}>No counts: {Failure.from(error).message}</p>;
  if (!summary) return <p className={styles.wait}>Counting…</p>;
  const labelled = summary.correct + summary.incorrect > 0;
  const regression = task === 'regression';
  return (
    <>
      {!regression && (
        <Section title="Outcome">
          {labelled ? (
            <Outcomes summary={summary} />
          ) : (
            <p className={styles.note}>
              {summary.progress.scanned > 0
                ? `No labels: the ${count(summary.progress.scanned)} samples scanned say nothing of what is right.`
                : 'Nothing scanned yet.'}
            </p>
          )}
        </Section>
      )}
      {!regression && summary.progress.scanned > 0 && <ClassFilter summary={summary} labelled={labelled} />}
      {!regression && labelled && <Confusions summary={summary} />}
      {summary.scores && (
        <Section title={regression ? 'Outputs' : 'Best score'}>
          <ErrorBoundary fallback={<p className={styles.note}>The plot could not be loaded.</p>}>
            <Suspense fallback={<div className={styles.plot} />}>
              <Scores histogram={summary.scores} />
            </Suspense>
          </ErrorBoundary>
        </Section>
      )}
    </>
  );
}
