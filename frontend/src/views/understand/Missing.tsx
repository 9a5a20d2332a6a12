import { Button } from '@mantine/core';
import { Failure } from '../../api/failure';
import { sentences } from '../../base/sentence';
import type { useSample } from '../../state/data';
import { useQuestion } from '../../state/question';
import { Notice } from '../common/Notice';

interface MissingProps {
  index: number;
  single: ReturnType<typeof useSample>;
  /** Whether the data ends before it, so that asking again is of no use. */
  none: boolean;
}

/** A sample that a link names but that is not listed: on its way, or why there is none. */
export function Missing({ index, single, none }: MissingProps) {
  const { change } = useQuestion();
  const { error, isFetching, refetch } = single;
  if (!error) return <Notice title={`Reading sample ${index}…`} />;
  const { message, hint } = Failure.from(error);
  const actions = (
    <>
      {!none && (
        <Button size="xs" onClick={() => refetch()} loading={isFetching}>
          Try again
        </Button>
      )}
      <Button
        size="xs"
        variant={none ? 'filled' : 'default'}
        onClick={() => change({ sample: null, target: null })}
      >
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
