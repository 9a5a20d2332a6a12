import type { Progress } from '../../api/schema';
import { Note } from '../common/Notice';

/** Says that predictions are older than the weights. */
export function ChangedNote({ progress }: { progress: Progress | undefined }) {
  const names = progress?.changed_models ?? [];
  if (names.length === 0) return null;
  return (
    <Note>
      The weights of {listed(names)} have changed since these predictions were made: predictions are of the
      old weights, new explanations of the new ones. Make a new AttributionVisualizer to predict again.
    </Note>
  );
}

/** "a", "a and b", "a, b and c". */
function listed(names: string[]): string {
  return new Intl.ListFormat('en-GB').format(names);
}
