import { Button } from '@mantine/core';
import { Failure } from '../../api/failure';
import { sentences } from '../../base/sentence';
import type { useSample } from '../../state/data';
import { useQuestion } from '../../state/question';
import { Notice } from '../common/Notice';

/** A sample that a link names but that is not listed: on its way, or why there is none. */
export function Missing({ index, single }: { index: number; single: ReturnType<typeof useSample> }) {
  const { change } = useQuestion();
  const { error, isFetching, refetch } = single;
  if (!error) return <Notice title={`Reading sample ${index}…`} />;
  const { message, hint } = Failure.from(error);
  const actions = (
    <>
      <Button size="xs" onClick={() => refetch()} loading={isFetching}>
        Try again
      </Button>
      <Button size="xs" variant="default" onClick={() => change({ sample: null, target: null })}>
        Show the first match
      </Button>
    </>
  );
  return (
    <Notice title={`Sample ${index} cannot be shown`} actions={actions}>
      {sentences(message, hint)}
    </Notice>
  );
}
