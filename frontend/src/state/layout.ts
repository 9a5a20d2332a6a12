export type Layout = 'wide' | 'medium' | 'narrow';

/** Wide: three columns. Medium: FIND is a drawer. Narrow: UNDERSTAND opens over LOOK, too. */
export function layoutFor(width: number): Layout {
  if (width >= 1200) return 'wide';
  return width >= 940 ? 'medium' : 'narrow';
}
