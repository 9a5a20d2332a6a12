import { useEffect } from 'react';

const OWN_KEYS =
  'input, textarea, select, [contenteditable], [role="slider"], [role="listbox"], [role="grid"], [role="radiogroup"], [data-keys="own"]';

/** Steps to the next and previous sample with j, k, ← and →, by a row with ↓ and ↑, and leaves with Escape. */
export function useSelectionKeys(keys: EventTarget, step: (by: Step) => void, close: () => void): void {
  useEffect(() => {
    const onKey = (event: Event) => {
      const key = event as KeyboardEvent;
      if (isTaken(key)) return;
      const by = STEPS[key.key];
      if (by !== undefined) {
        key.preventDefault();
        step(by);
      } else if (key.key === 'Escape') close();
    };
    keys.addEventListener('keydown', onKey);
    return () => keys.removeEventListener('keydown', onKey);
  }, [keys, step, close]);
}

/** Focuses and clicks the control whose `aria-keyshortcuts` is the key pressed; none behind an open dialog. */
export function useShortcuts(keys: EventTarget & Partial<ParentNode>): void {
  useEffect(() => {
    const onKey = (event: Event) => {
      const key = event as KeyboardEvent;
      if (isTaken(key) || inDialog(key)) return;
      const controls = keys.querySelectorAll?.<HTMLElement>('[aria-keyshortcuts]') ?? [];
      const control = [...controls].find((each) => each.getAttribute('aria-keyshortcuts') === key.key);
      if (!control) return;
      key.preventDefault();
      control.focus();
      control.click();
    };
    keys.addEventListener('keydown', onKey);
    return () => keys.removeEventListener('keydown', onKey);
  }, [keys]);
}

/** Whether a key means something else: to the control that has the focus, to the browser, or to nobody any more. */
function isTaken(key: KeyboardEvent): boolean {
  if (key.defaultPrevented || key.ctrlKey || key.metaKey || key.altKey) return true;
  const target = key.composedPath()[0];
  return target instanceof Element && target.closest(OWN_KEYS) !== null;
}

function inDialog(key: KeyboardEvent): boolean {
  const target = key.composedPath()[0];
  return target instanceof Element && target.closest('[role="dialog"]') !== null;
}

/** To the sample above or below. */
type Row = 'above' | 'below';

/** By how many samples, or to the next row. */
export type Step = number | Row;

/** Where a step leads from place `at`: rows end where the grid does, the last one may be short. */
export function nextPlace(at: number, by: Step, columns: number, total: number): number {
  if (by === 'above') return at < columns ? at : at - columns;
  return Math.min(total - 1, Math.max(0, at + (by === 'below' ? columns : by)));
}

const STEPS: Record<string, Step> = {
  j: 1,
  k: -1,
  ArrowRight: 1,
  ArrowDown: 'below',
  ArrowLeft: -1,
  ArrowUp: 'above',
};
