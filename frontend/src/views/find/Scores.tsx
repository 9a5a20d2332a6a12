import { RangeSlider } from '@mantine/core';
import * as Plot from '@observablehq/plot';
import { useEffect, useEffectEvent, useRef, useState } from 'react';
import type { Histogram } from '../../api/schema';
import { number } from '../../base/format';
import { useQuestion } from '../../state/question';
import {
  type Bin,
  binCount,
  chosenBins,
  edge,
  GROUPS,
  type Group,
  histogramBins,
  inWords,
  scoresOf,
  tallest,
} from './bins';
import styles from './Find.module.css';

const COLORS: Record<Group, string> = {
  incorrect: 'var(--warn-fill)',
  correct: 'var(--bar-strong)',
  unlabelled: 'var(--bar)',
};
const WIDTH = 240; // of the plot, in CSS pixels
const RIGHT = 14; // of it beside the axis

/** The histogram of the best score, split by outcome; a bar, or the slider below, narrows down to a range. */
export default function Scores({ histogram }: { histogram: Histogram }) {
  const place = useRef<HTMLDivElement>(null);
  const { question, change } = useQuestion();
  const bins = histogramBins(histogram);
  const groups = GROUPS.filter((group) => histogram[group].some((n) => n > 0));
  const [first, end] = chosenBins(histogram, question.above, question.below);
  const onBar = useEffectEvent((bin: number) => {
    const again = bin === first && bin + 1 === end;
    change(again ? { above: null, below: null } : scoresOf(histogram, bin, bin + 1));
  });
  useEffect(() => {
    const plot = draw(histogram, first, end);
    plot.querySelector('style')?.remove(); // see .plot
    for (const part of plot.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label'); // said by the frame
    plot.addEventListener('click', (event) => {
      const bin = binAt(plot, event, histogram);
      if (bin !== null) onBar(bin);
    });
    place.current?.replaceChildren(plot);
    return () => plot.remove();
  }, [histogram, first, end]);
  return (
    <>
      <div ref={place} className={styles.plot} role="img" aria-label={inWords(histogram, bins)} />
      <ScoreRange
        histogram={histogram}
        chosen={[first, end]}
        onChoose={(range) => change(scoresOf(histogram, ...range))}
      />
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

interface ScoreRangeProps {
  histogram: Histogram;
  chosen: [number, number];
  onChoose: (bins: [number, number]) => void;
}

function ScoreRange({ histogram, chosen, onChoose }: ScoreRangeProps) {
  const [dragged, setDragged] = useState<[number, number] | null>(null);
  const written = (place: number) => number(edge(histogram, place));
  return (
    <div style={{ paddingLeft: left(histogram), paddingRight: RIGHT, maxWidth: WIDTH }}>
      <RangeSlider
        size={3}
        thumbSize={13}
        color={chosen[0] === 0 && chosen[1] === binCount(histogram) ? 'gray' : undefined}
        thumbFromLabel="Lowest score"
        thumbToLabel="Score below"
        label={written}
        thumbValueText={written}
        min={0}
        max={binCount(histogram)}
        minRange={1}
        value={dragged ?? chosen}
        onChange={setDragged}
        onChangeEnd={(bins) => {
          setDragged(null);
          onChoose(bins);
        }}
      />
    </div>
  );
}

function draw(histogram: Histogram, first: number, end: number) {
  const bins = histogramBins(histogram);
  const most = tallest(bins);
  const far = bins.some(({ low, high }) => Math.max(-low, high) >= 10_000);
  const [from, to] = [edge(histogram, first), edge(histogram, end)];
  const chosen = (bin: Bin) => (bin.low + bin.high) / 2 > from && (bin.low + bin.high) / 2 < to;
  return Plot.plot({
    width: WIDTH,
    height: 110,
    marginLeft: left(histogram),
    marginRight: RIGHT,
    marginTop: 8,
    marginBottom: 22,
    style: { background: 'transparent', fontSize: '11px', fontFamily: 'inherit', color: 'var(--muted)' },
    x: { label: null, ticks: 4, tickSize: 3, tickFormat: far ? brief : undefined },
    y: { label: null, ticks: Math.min(3, most), tickSize: 0, grid: true, tickFormat: brief },
    color: { domain: [...GROUPS], range: GROUPS.map((group) => COLORS[group]) },
    marks: [
      Plot.rectY(
        bins,
        Plot.stackY({
          x1: 'low',
          x2: 'high',
          y: 'count',
          fill: 'group',
          fillOpacity: (bin: Bin) => (chosen(bin) ? 1 : 0.25),
          insetLeft: 0.5,
          insetRight: 0.5,
        }),
      ),
      Plot.ruleY([0], { stroke: 'var(--border-strong)' }),
    ],
  });
}

/** How far right of the plot's edge its axis begins: beside the largest number. */
function left(histogram: Histogram): number {
  return 12 + 7 * brief(tallest(histogramBins(histogram))).length;
}

/** The bin under the pointer; null beside the axis. */
function binAt(plot: Element, event: Event, histogram: Histogram): number | null {
  if (!(event instanceof MouseEvent)) return null;
  const box = plot.getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * WIDTH;
  const share = (x - left(histogram)) / (WIDTH - RIGHT - left(histogram));
  return share >= 0 && share < 1 ? Math.floor(share * binCount(histogram)) : null;
}

/** 950, "1.2K", "70K": room for an axis. */
function brief(value: number): string {
  return Math.abs(value) < 1000 ? String(value) : compact.format(value).replace('-', '\u2212');
}

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
