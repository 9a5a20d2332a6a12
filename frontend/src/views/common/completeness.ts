import type { Completeness } from '../../api/schema';

const GOOD_BELOW = 0.05;

/** Whether the difference is small beside the change. */
export function addsUp(completeness: Completeness): boolean {
  const error = completenessError(completeness);
  return error !== null && error <= GOOD_BELOW;
}

/** |difference| as a share of |change|; null where the output did not change. */
export function completenessError({ change, delta }: Completeness): number | null {
  if (delta === 0) return 0;
  return change === 0 ? null : Math.abs(delta / change);
}
