import { useCallback, useEffect, useMemo, useRef } from 'react';
import type { Sample } from '../api/schema';
import { type SampleList, useSample } from './data';
import { passes, useQuestion } from './question';
import { useServices } from './services';

/** The sample that is looked into, and what changes it. */
export interface Selected {
  index: number | null;
  sample: Sample | undefined;
  /** Whether the list has it, as far as it is loaded. */
  listed: boolean;
  /** The sample asked for by its number, where the list does not have it. */
  single: ReturnType<typeof useSample>;
  select: (index: number | null, replace?: boolean) => void;
  /** Makes a selection of what is only the first of the list: it then stays, whatever the list becomes. */
  hold: () => void;
}

/** The samples of a list as far as it is loaded. */
export function useListed(list: SampleList): Sample[] {
  return useMemo(() => list.data?.pages.flatMap((page) => page.samples) ?? [], [list.data]);
}

/** The sample that the address names, else the first of the list, where `first` says so. */
export function useSelected(samples: Sample[], first: boolean): Selected {
  const { question, change } = useQuestion();
  const { slots } = useServices();
  const index = question.sample ?? (first ? (samples[0]?.index ?? null) : null);
  const listed = samples.find((each) => each.index === index);
  const single = useSample(index, listed);
  useEffect(() => slots.look(index), [slots, index]);
  const select = useCallback(
    (index: number | null, replace = false) => change({ sample: index, target: null }, { replace }),
    [change],
  );
  const hold = () => question.sample === null && change({ sample: index }, { replace: true });
  return { index, sample: listed ?? single.data, listed: listed !== undefined, single, select, hold };
}

const FAR = 40; // pages; beyond, a linked sample is not worth the reading

/** Whether to load further for a linked sample: until it is listed once, or too far down; not while all is in motion. */
export function useSought(list: SampleList, { index, sample, listed }: Selected, scanning: boolean): boolean {
  const { question } = useQuestion();
  const found = useRef<number | null>(null);
  useEffect(() => {
    if (listed) found.current = index;
  }, [listed, index]);
  if (!sample || listed || scanning || found.current === index) return false;
  return passes(question, sample) && (list.data?.pages.length ?? 0) < FAR;
}
