import { useDebouncedCallback } from '@mantine/hooks';
import { useIsFetching } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { Selection } from '../api/schema';
import { useHost } from './host';
import { requestFor, useQuestion } from './question';

const SETTLED = 100; // ms

/** Tells the host what is on the screen, and when all of it has been explained. */
export function useReport(samples: number[], selected: number | null): void {
  const { report } = useHost();
  const { question } = useQuestion();
  const unfinished = useIsFetching({ queryKey: ['explanation'] });
  const tell = useDebouncedCallback(
    (seen: Selection, finished: boolean) => report?.(seen, finished),
    SETTLED,
  );
  const view = samples.join();
  useEffect(() => {
    const { sample: _, ...asked } = requestFor(question, selected ?? -1);
    tell({ ...asked, samples: view ? view.split(',').map(Number) : [], sample: selected }, unfinished === 0);
  }, [tell, question, selected, view, unfinished]);
}
