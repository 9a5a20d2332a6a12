import * as Plot from '@observablehq/plot';
import { useEffect, useRef } from 'react';
import type { Histogram } from '../../api/schema';
import { count, number } from '../../base/format';
import styles from './Find.module.css';

const COLORS = {
  incorrect: 'var(--warn-fill)',
  correct: 'var(--bar-strong)',
  unlabelled: 'var(--bar)',
} as const;
type Group = keyof typeof COLORS;

interface Bin {
  low: number;
  high: number;
  group: Group;
  count: number;
}

/** The histogram of the best score, split by outcome. */
export default function Scores({ histogram }: { histogram: Histogram }) {
  const place = useRef<HTMLDivElement>(null);
  const bins = histogramBins(histogram);
  const groups = (Object.keys(COLORS) as Group[]).filter((group) => histogram[group].some((n) => n > 0));
  useEffect(() => {
    const plot = draw(histogramBins(histogram));
    plot.querySelector('style')?.remove(); // see .plot
    for (const part of plot.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label'); // said by the frame
    place.current?.replaceChildren(plot);
    return () => plot.remove();
  }, [histogram]);
  return (
    <>
      <div ref={place} className={styles.plot} role="img" aria-label={inWords(histogram, bins)} />
      {groups.length > 1 && (
        <div className={styles.key}>
          {groups.map((group) => (
            <span key={group}>
              <i style={{ background: COLORS[group] }} /> {group}
            </span>
          ))}
        </div>
      )}
    </>
  );
}

function draw(bins: Bin[]) {
  const most = tallest(bins);
  const far = bins.some(({ low, high }) => Math.max(-low, high) >= 10_000);
  return Plot.plot({
    width: 240,
    height: 110,
    marginLeft: 12 + 7 * brief(most).length,
    marginRight: 14,
    marginTop: 8,
    marginBottom: 22,
    style: { background: 'transparent', fontSize: '11px', fontFamily: 'inherit', color: 'var(--muted)' },
    x: { label: null, ticks: 4, tickSize: 3, tickFormat: far ? brief : undefined },
    y: { label: null, ticks: Math.min(3, most), tickSize: 0, grid: true, tickFormat: brief },
    color: { domain: Object.keys(COLORS), range: Object.values(COLORS) },
    marks: [
      Plot.rectY(
        bins,
        Plot.stackY({ x1: 'low', x2: 'high', y: 'count', fill: 'group', insetLeft: 0.5, insetRight: 0.5 }),
      ),
      Plot.ruleY([0], { stroke: 'var(--border-strong)' }),
    ],
  });
}

/** How many samples the fullest bin has. */
function tallest(bins: Bin[]): number {
  const columns = new Map<number, number>();
  for (const { low, count } of bins) columns.set(low, (columns.get(low) ?? 0) + count);
  return Math.max(0, ...columns.values());
}

/** 950, "1.2K", "70K": room for an axis. */
function brief(value: number): string {
  return Math.abs(value) < 1000 ? String(value) : compact.format(value).replace('-', '\u2212');
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** One bar for each bin and group. */
function histogramBins(histogram: Histogram): Bin[] {
  const { low, high } = histogram;
  const width = (high - low) / histogram.correct.length;
  return (Object.keys(COLORS) as Group[]).flatMap((group) =>
    histogram[group].map((n, i) => ({ low: low + i * width, high: low + (i + 1) * width, group, count: n })),
  );
}

function inWords({ low, high }: Histogram, bins: Bin[]): string {
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  const top = bins.reduce((a, b) => (b.count > a.count ? b : a));
  return `Histogram of the best score of ${count(total)} samples from ${number(low)} to ${number(high)}; most lie between ${number(top.low)} and ${number(top.high)}.`;
}
