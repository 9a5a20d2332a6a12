import { useQuestion } from '../../state/question';
import { useWorkspace } from '../../state/workspace';
import { Note } from './Notice';

/** What a link asks for that is not here, and what is shown instead. */
export function UnknownNote() {
  const { question, change } = useQuestion();
  const { models } = useWorkspace();
  const { method, model, function: missing } = question.unknown;
  if (method === null && model === null && missing === null) return null;
  const forget = () =>
    change(
      {
        ...(method !== null && { method: null }),
        ...(model !== null && { model: 0 }),
        ...(missing !== null && { function: null }),
      },
      { replace: true },
    );
  return (
    <Note onDismiss={forget}>
      {method !== null &&
        `The link asks for the method ‘${method}’, which is not offered here: ${question.method.title} is shown. `}
      {model !== null &&
        `The link asks for model ${model}, which is not here: ${models[question.model]?.name} is shown. `}
      {missing !== null &&
        `The link asks for the function ‘${missing}’ of the outputs, which is not here: a class is explained.`}
    </Note>
  );
}
