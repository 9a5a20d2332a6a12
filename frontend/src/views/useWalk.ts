import { type RefObject, useCallback } from 'react';
import type { Sample } from '../api/schema';
import { useHost } from '../state/host';
import { nextPlace, type Step, useSelectionKeys } from '../state/keys';
import type { Selected } from '../state/selection';

/** Steps from sample to sample, by buttons and by keys, and back to the list; the focus comes along. */
export function useWalk(
  { index, select }: Selected,
  samples: Sample[],
  cards: RefObject<HTMLElement | null>,
  columns: RefObject<number>,
  over: boolean,
) {
  const step = useCallback(
    (by: Step) => {
      const at = samples.findIndex((each) => each.index === index);
      const next = samples[nextPlace(at, by, columns.current, samples.length)];
      if (!next || next.index === index) return;
      const focused = cards.current?.querySelector('[data-sample]:focus');
      select(next.index, true);
      if (focused) focusSample(cards.current, next.index);
    },
    [samples, index, select, cards, columns],
  );
  const close = useCallback(() => {
    if (!over) return;
    select(null);
    focusSample(cards.current, index);
  }, [over, select, index, cards]);
  useSelectionKeys(useHost().keys(), step, close);
  return { step, close };
}

/** Moves the focus to a card, once it is drawn. */
function focusSample(within: HTMLElement | null, index: number | null): void {
  requestAnimationFrame(() => within?.querySelector<HTMLElement>(`[data-sample="${index}"]`)?.focus());
}
