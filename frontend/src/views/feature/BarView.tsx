import { Button } from '@mantine/core';
import { useState } from 'react';
import type { GeneralAttribution, GeneralInput } from '../../api/schema';
import { Choice } from '../common/Choice';
import styles from './BarView.module.css';
import { DivergingBars } from './DivergingBars';
import { byStrength, largest } from './weights';

const ON_CARD = 6;
const AT_FIRST = 30;

interface BarViewProps {
  input: GeneralInput;
  attribution: GeneralAttribution | undefined;
  size: 'card' | 'panel';
}

/** Named numbers with their weights as bars around zero. */
export function BarView({ input, attribution, size }: BarViewProps) {
  const [order, setOrder] = useState<'strength' | 'given'>('strength');
  const [all, setAll] = useState(false);
  const weights = attribution?.weights ?? [];
  const places =
    order === 'strength' && attribution ? byStrength(weights) : input.categories.map((_, i) => i);
  const limit = size === 'card' ? ON_CARD : all ? places.length : AT_FIRST;
  const bars = (
    <DivergingBars
      label={`Attribution of ${input.name}`}
      bars={places.slice(0, limit).map((i) => ({
        id: i,
        name: input.categories[i] ?? `${i}`,
        weight: weights[i],
        value: input.values[i] ?? null,
      }))}
      bound={largest(weights)}
    />
  );
  const more = places.length - limit;
  if (size === 'card') {
    return (
      <div>
        {bars}
        {more > 0 && <p className={styles.more}>and {more} more</p>}
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
      {bars}
      {more > 0 && (
        <Button size="compact-xs" variant="subtle" onClick={() => setAll(true)}>
          Show all {places.length}
        </Button>
      )}
    </div>
  );
}
