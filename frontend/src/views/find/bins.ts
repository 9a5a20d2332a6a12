import type { Histogram } from '../../api/schema';
import { count, number } from '../../base/format';

export const GROUPS = ['incorrect', 'correct', 'unlabelled'] as const;
export type Group = (typeof GROUPS)[number];

export interface Bin {
  low: number;
  high: number;
  group: Group;
  count: number;
}

/** How many bins there are. */
export function binCount(histogram: Histogram): number {
  return histogram.correct.length;
}

/** Where the bin of that place begins. */
export function edge(histogram: Histogram, place: number): number {
  const { low, high } = histogram;
  return low + (place * (high - low)) / binCount(histogram);
}

/** One bar for each bin and group. */
export function histogramBins(histogram: Histogram): Bin[] {
  return GROUPS.flatMap((group) =>
    histogram[group].map((n, i) => ({
      low: edge(histogram, i),
      high: edge(histogram, i + 1),
      group,
      count: n,
    })),
  );
}

/** How many samples the fullest bin has. */
export function tallest(bins: Bin[]): number {
  const columns = new Map<number, number>();
  for (const { low, count } of bins) columns.set(low, (columns.get(low) ?? 0) + count);
  return Math.max(0, ...columns.values());
}

/** The bins from the one to before the other that a range of scores covers; all where a bound is null. */
export function chosenBins(
  histogram: Histogram,
  above: number | null,
  below: number | null,
): [number, number] {
  const last = binCount(histogram);
  const width = (histogram.high - histogram.low) / last || 1;
  const place = (score: number) => Math.min(last, Math.max(0, Math.round((score - histogram.low) / width)));
  return [above === null ? 0 : place(above), below === null ? last : place(below)];
}

/** The range of scores of the bins from `first` to before `end`; the outermost bins have no bound. */
export function scoresOf(histogram: Histogram, first: number, end: number) {
  return {
    above: first > 0 ? edge(histogram, first) : null,
    below: end < binCount(histogram) ? edge(histogram, end) : null,
  };
}

export function inWords(histogram: Histogram, bins: Bin[]): string {
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  const top = bins.reduce((a, b) => (b.count > a.count ? b : a));
  const { low, high } = histogram;
  return `Histogram of the best score of ${count(total)} samples from ${number(low)} to ${number(high)}; most lie between ${number(top.low)} and ${number(top.high)}.`;
}
