import { useState } from 'react';
import type { TextAttribution, TextInput } from '../../api/schema';
import { signed } from '../../render/format';
import { useDisplay } from '../../state/display';
import { DivergingBars } from './DivergingBars';
import styles from './TextView.module.css';
import { byStrength, largest, tokenStyle, useSurface } from './weights';

const TOP = 10;

interface TextViewProps {
  input: TextInput;
  attribution: TextAttribution | undefined;
  size: 'card' | 'panel';
}

/** Tokens on a background by weight; in the panel also the strongest ones as bars, linked by hovering. */
export function TextView({ input, attribution, size }: TextViewProps) {
  const { sign, colors } = useDisplay().display;
  const [active, setActive] = useState<number | null>(null);
  const surface = useSurface();
  const weights = attribution?.weights ?? [];
  const bound = largest(weights);
  const tokens = (
    <p className={size === 'card' ? styles.short : styles.tokens}>
      {input.tokens.map((token, i) => (
        <span
          // biome-ignore lint/suspicious/noArrayIndexKey: a token is its place
          key={i}
          className={styles.token}
          data-active={active === i || undefined}
          title={attribution ? `${token}: ${signed(weights[i])}` : token}
          style={attribution && tokenStyle(weights[i], bound, sign, colors, surface)}
          onPointerEnter={() => size === 'panel' && setActive(i)}
          onPointerLeave={() => setActive(null)}
        >
          {token}
        </span>
      ))}
    </p>
  );
  if (size === 'card') return tokens;
  const top = byStrength(weights).slice(0, TOP);
  const shown = active === null || top.includes(active) ? top : [...top.slice(0, TOP - 1), active];
  return (
    <div className={styles.panel}>
      {tokens}
      {attribution && (
        <>
          <h3>Strongest tokens</h3>
          <DivergingBars
            label={`Strongest tokens of ${input.name}`}
            bars={shown.map((i) => ({ id: i, name: input.tokens[i] ?? `token ${i}`, weight: weights[i] }))}
            bound={bound}
            active={active}
            onActive={setActive}
          />
        </>
      )}
    </div>
  );
}
