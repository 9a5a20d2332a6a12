import { Button } from '@mantine/core';
import { useState } from 'react';
import type { ClassRef, GeneralAttribution, GeneralInput } from '../../api/schema';
import { count } from '../../base/format';
import { useBound } from '../../state/bound';
import { useSign } from '../../state/display';
import { Choice } from '../common/Choice';
import styles from './BarView.module.css';
import { DivergingBars } from './DivergingBars';
import { Meaning } from './Meaning';
import type { Size } from './size';
import { byStrength, extentOf, largest } from './weights';

const LIMITS = { card: 6, tile: 8, panel: Number.POSITIVE_INFINITY };
const AT_FIRST = 30;

interface BarViewProps {
  input: GeneralInput;
  attribution: GeneralAttribution | undefined;
  size: Size;
  target?: ClassRef | undefined;
  places?: number[] | undefined;
}

/** Named numbers with their weights as bars around zero. */
export function BarView({ input, attribution, size, target, places: given }: BarViewProps) {
  const [order, setOrder] = useState<'strength' | 'given'>('strength');
  const [all, setAll] = useState(false);
  const sign = useSign();
  const weights = attribution?.weights ?? [];
  const bound = useBound('general', largest(weights));
  const places =
    given ?? (order === 'strength' && attribution ? byStrength(weights) : input.categories.map((_, i) => i));
  const limit = size === 'panel' && !all ? AT_FIRST : LIMITS[size];
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
      <Choice
        label="Order of the bars"
        value={order}
        options={{ strength: 'Strongest first', given: 'As given' }}
        onChange={setOrder}
      />
      {attribution && <Meaning target={target} sign={sign} extent={extentOf(weights)} />}
      {bars}
      {more > 0 && (
        <Button size="compact-xs" variant="subtle" onClick={() => setAll(true)}>
          Show all {count(places.length)}
        </Button>
      )}
    </div>
  );
}
