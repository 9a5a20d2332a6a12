import type { Progress } from '../../api/schema';
import { useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { Note } from '../common/Notice';

/** What a link asks for that is not here, and what is shown instead. */
export function UnknownNote() {
  const { question, change } = useQuestion();
  const { models } = useWorkspace();
  const { method, model } = question.unknown;
  if (method === null && model === null) return null;
  const forget = () =>
    change(
      { ...(method !== null && { method: null }), ...(model !== null && { model: 0 }) },
      { replace: true },
    );
  return (
    <Note onDismiss={forget}>
      {method !== null &&
        `The link asks for the method ‘${method}’, which is not offered here: ${question.method.title} is shown. `}
      {model !== null &&
        `The link asks for model ${model}, which is not here: ${models[question.model]?.name} is shown.`}
    </Note>
  );
}

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
