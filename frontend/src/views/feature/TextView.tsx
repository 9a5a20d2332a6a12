import { useComputedColorScheme } from '@mantine/core';
import { useRovingIndex } from '@mantine/hooks';
import { useState } from 'react';
import type { ClassRef, TextAttribution, TextInput } from '../../api/schema';
import { signed } from '../../base/format';
import { useBound } from '../../state/bound';
import { useDisplay, useSign } from '../../state/display';
import { DivergingBars } from './DivergingBars';
import { Meaning } from './Meaning';
import type { Size } from './size';
import styles from './TextView.module.css';
import { byStrength, extentOf, largest, tokenStyle, unnamed } from './weights';

const TOP = 10;

interface TextViewProps {
  input: TextInput;
  attribution: TextAttribution | undefined;
  size: Size;
  target?: ClassRef | undefined;
}

/** Tokens on a background by weight; in the panel also the strongest ones as bars, linked with them. */
export function TextView({ input, attribution, size, target }: TextViewProps) {
  const weights = attribution?.weights ?? [];
  const bound = useBound('text', largest(weights));
  const [active, setActive] = useState<number | null>(null);
  const sign = useSign();
  const look = useTokenLook(attribution, bound);
  if (size !== 'panel') {
    return (
      <p className={styles.short}>
        {input.tokens.map((token, i) => (
          <span key={i} className={styles.token} {...look(token, i)}>
            {token}
          </span>
        ))}
      </p>
    );
  }
  const note = unnamed(input.tokens.length, weights);
  const top = byStrength(weights)
    .filter((i) => weights[i] !== 0) // padding has none
    .slice(0, TOP);
  const shown = active === null || top.includes(active) ? top : [...top.slice(0, TOP - 1), active];
  return (
    <div className={styles.panel}>
      <Tokens input={input} look={look} active={active} onActive={setActive} />
      {attribution && (
        <>
          {note && <p className={styles.note}>{note}</p>}
          <Meaning target={target} sign={sign} extent={extentOf(weights)} />
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

interface TokensProps {
  input: TextInput;
  look: ReturnType<typeof useTokenLook>;
  active: number | null;
  onActive: (place: number | null) => void;
}

/** The tokens as a list in which arrow keys move, as the pointer does. */
function Tokens({ input, look, active, onActive }: TokensProps) {
  const { getItemProps } = useRovingIndex({ total: input.tokens.length, orientation: 'both', loop: false });
  return (
    <div className={styles.tokens} role="listbox" aria-label={`Tokens of ${input.name}`}>
      {input.tokens.map((token, i) => {
        const { title, style } = look(token, i);
        const { tabIndex, ...keys } = getItemProps({ index: i });
        return (
          <span
            key={i}
            className={styles.token}
            title={title}
            style={style}
            role="option"
            aria-selected={active === i}
            aria-label={title}
            tabIndex={tabIndex}
            {...keys}
            onFocus={() => onActive(i)}
            onBlur={() => onActive(null)}
            onPointerEnter={() => onActive(i)}
            onPointerLeave={() => onActive(null)}
          >
            {token}
          </span>
        );
      })}
    </div>
  );
}

/** A token's background and what is said of it. */
function useTokenLook(attribution: TextAttribution | undefined, bound: number) {
  const { colors } = useDisplay().display;
  const sign = useSign();
  const scheme = useComputedColorScheme('light');
  return (token: string, place: number) => {
    if (!attribution) return { title: token, style: undefined };
    const weight = attribution.weights[place];
    return {
      title: `${token}: ${signed(weight)}`,
      style: tokenStyle(weight, bound, sign, colors, scheme),
    };
  };
}
