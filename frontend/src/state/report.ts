import { useDebouncedCallback } from '@mantine/hooks';
import { useIsFetching } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { Sample, Selection } from '../api/schema';
import { useHost } from './host';
import { requestFor, useQuestion } from './question';
import { useServices } from './services';

const SETTLED = 100; // ms

/** Tells the host what is on the screen, and when all of it has been explained. */
export function useReport(samples: number[], selected: number | null): void {
  const { report } = useHost();
  const { question } = useQuestion();
  const { queries } = useServices();
  const unfinished = useIsFetching({ queryKey: ['explanation'] });
  const tell = useDebouncedCallback(
    (seen: Selection, finished: boolean) => report?.(seen, finished),
    SETTLED,
  );
  const view = samples.join();
  useEffect(() => {
    const known = queries.getQueryData<Sample>(['sample', selected]);
    const { sample: _, ...asked } = requestFor(
      question,
      known ?? { index: selected ?? -1, label: null, predictions: [] },
    );
    tell({ ...asked, samples: view ? view.split(',').map(Number) : [], sample: selected }, unfinished === 0);
  }, [tell, queries, question, selected, view, unfinished]);
}
