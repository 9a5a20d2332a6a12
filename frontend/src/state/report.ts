import { useDebouncedCallback } from '@mantine/hooks';
import { useIsFetching } from '@tanstack/react-query';
import { useEffect } from 'react';
import type { AttributionRequest } from '../api/schema';
import { useHost } from './host';
import { requestFor, useQuestion } from './question';

const SETTLED = 100; // ms

/** What is on the screen, for whoever follows it: the samples in view, and the question asked of the selected one. */
export interface Seen extends Omit<AttributionRequest, 'sample'> {
  samples: number[];
  sample: number | null;
}

/** Tells the host what is on the screen, and when all of it has been explained. */
export function useReport(samples: number[], selected: number | null): void {
  const { report } = useHost();
  const { question } = useQuestion();
  const unfinished = useIsFetching({ queryKey: ['explanation'] });
  const tell = useDebouncedCallback((seen: Seen, finished: boolean) => report?.(seen, finished), SETTLED);
  const view = samples.join();
  useEffect(() => {
    const { sample: _, ...asked } = requestFor(question, selected ?? -1);
    tell({ ...asked, samples: view ? view.split(',').map(Number) : [], sample: selected }, unfinished === 0);
  }, [tell, question, selected, view, unfinished]);
}
