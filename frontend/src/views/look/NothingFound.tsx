import type { Progress } from '../../api/schema';
import { count } from '../../base/format';
import { isFiltered, useQuestion } from '../../state/question';
import { Notice } from '../common/Notice';
import { ClearFilters } from './Filters';
import { ScanFurther } from './ScanLine';

/** Why there are no cards, and what can be done. */
export function NothingFound({ progress }: { progress: Progress }) {
  const { question } = useQuestion();
  const filtered = isFiltered(question);
  if (progress.scanned === 0 && progress.scanning) return <Notice title="Reading the first samples…" />;
  if (progress.scanned === 0) {
    return (
      <Notice title="No samples">
        {progress.error
          ? 'The data could not be read.'
          : 'The dataset is empty: it ended before its first sample.'}
      </Notice>
    );
  }
  const actions = (
    <>
      {filtered && <ClearFilters filled />}
      <ScanFurther progress={progress} filled />
    </>
  );
  return (
    <Notice title={progress.scanning ? 'No match so far' : 'Nothing matches'} actions={actions}>
      {progress.scanning ? 'Still reading: ' : 'None of the '}
      {count(progress.scanned)} samples scanned{' '}
      {progress.scanning ? 'until now.' : filtered ? 'passes these filters.' : 'can be shown.'}
      {!progress.labelled &&
        question.outcome !== 'all' &&
        ' None of them has a label, so none is right or wrong.'}
    </Notice>
  );
}
