import { Button } from '@mantine/core';
import { useEffect } from 'react';
import { plural } from '../../render/format';
import { useQuestion } from '../../state/question';
import { Notice } from '../common/Notice';
import type { SampleList } from '../look/Look';

const SEARCHED = 1000; // samples

/** A sample that a link names but that is not on the pages loaded: looks on, up to a limit. */
export function Missing({ index, list }: { index: number; list: SampleList }) {
  const { change } = useQuestion();
  const { hasNextPage, isFetching, fetchNextPage, error } = list;
  const loaded = list.data?.pages.reduce((sum, page) => sum + page.samples.length, 0) ?? 0;
  const searching = hasNextPage && loaded < SEARCHED && !error;
  useEffect(() => {
    if (searching && !isFetching) void fetchNextPage();
  }, [searching, isFetching, fetchNextPage]);
  if (searching || list.isPending) return <Notice title={`Looking for sample ${index}…`} />;
  const action = (
    <Button size="xs" variant="default" onClick={() => change({ sample: null, target: null })}>
      Show the first match
    </Button>
  );
  return (
    <Notice title={`Sample ${index} is not here`} actions={action}>
      It is not among the {plural(loaded, 'sample')} that match these filters and are loaded.
    </Notice>
  );
}
