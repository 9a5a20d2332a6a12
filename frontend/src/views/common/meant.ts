import type { Attribution, TargetRef } from '../../api/schema';

/** What is explained, and the name of the class that it is explained against. */
export interface Meant extends TargetRef {
  against: string | null;
}

export function meantBy({ target, against }: Attribution): Meant {
  return { ...target, against: against?.name ?? null };
}
