import { Button } from '@mantine/core';
import { useMemo } from 'react';
import type { GeneralAttribution, GeneralInput } from '../../api/schema';
import { count } from '../../base/format';
import { useBound } from '../../state/bound';
import { useDisplay, useSign } from '../../state/display';
import { Choice } from '../common/Choice';
import type { Meant } from '../common/meant';
import styles from './BarView.module.css';
import { DivergingBars } from './DivergingBars';
import { Meaning } from './Meaning';
import { SeriesPlot } from './SeriesPlot';
import { isSeries } from './series';
import type { Size } from './size';
import { byStrength, extentOf, largest, type Weight } from './weights';

const LIMITS = { card: 6, tile: 8, panel: Number.POSITIVE_INFINITY };
const AT_FIRST = 30;

interface BarViewProps {
  input: GeneralInput;
  attribution: GeneralAttribution | undefined;
  size: Size;
  target?: Meant | undefined;
  places?: number[] | undefined;
}

/** Named numbers with their weights as bars around zero; where they are in an order, as of time, a plot as well. */
export function BarView({ input, attribution, size, target, places: given }: BarViewProps) {
  const { display, change } = useDisplay();
  const sign = useSign();
  const weights: readonly Weight[] = attribution?.weights ?? NONE;
  const bound = useBound('general', largest(weights));
  const series = useMemo(() => isSeries(input.categories), [input.categories]);
  const strongest = useMemo(() => byStrength(weights), [weights]);
  const plot = series && <SeriesPlot input={input} weights={weights} bound={bound} size={size} />;
  if (plot && size !== 'panel') return plot;
  const ranked = attribution && (size !== 'panel' || display.bars === 'strength');
  const places = given ?? (ranked ? strongest : input.categories.map((_, i) => i));
  const limit = size === 'panel' && !display.all ? AT_FIRST : LIMITS[size];
  const bars = (
    <DivergingBars
      label={`Attribution of ${input.name}`}
      bars={places.slice(0, limit).map((i) => ({
        id: i,
        name: input.categories[i] ?? `${i}`,
        weight: weights[i],
        value: size === 'tile' ? undefined : (input.values[i] ?? null),
      }))}
      bound={bound}
      compact={size === 'tile'}
    />
  );
  const more = places.length - limit;
  if (size !== 'panel') {
    return (
      <div>
        {bars}
        {more > 0 && <p className={styles.more}>and {count(more)} more</p>}
      </div>
    );
  }
  return (
    <div className={styles.panel}>
      {plot}
      {attribution && <Meaning target={target} sign={sign} extent={extentOf(weights)} />}
      <Choice
        label="Order of the bars"
        value={display.bars}
        options={{ strength: 'Strongest first', given: 'As given' }}
        onChange={(bars) => change({ bars })}
      />
      {bars}
      {places.length > AT_FIRST && (
        <Button size="compact-xs" variant="subtle" onClick={() => change({ all: !display.all })}>
          {display.all ? `Show the first ${AT_FIRST}` : `Show all ${count(places.length)}`}
        </Button>
      )}
    </div>
  );
}

const NONE: Weight[] = [];
