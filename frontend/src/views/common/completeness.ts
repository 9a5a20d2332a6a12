import type { Completeness } from '../../api/schema';

export type Verdict = 'good' | 'cancels' | 'bad';

export const VERDICTS: Record<Verdict, string> = {
  good: 'adds up',
  cancels: 'adds up by cancellation',
  bad: 'does not add up',
};

/** Whether the attributions add up, and whether that says anything. */
export function verdictOf({ adds_up, cancels }: Completeness): Verdict {
  if (!adds_up) return 'bad';
  return cancels ? 'cancels' : 'good';
}

/** |difference| as a share of |change|; null where the output did not change. */
export function completenessError({ change, delta }: Completeness): number | null {
  if (delta === 0) return 0;
  return change === 0 ? null : Math.abs(delta / change);
}
