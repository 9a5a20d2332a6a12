import { Button, useComputedColorScheme } from '@mantine/core';
import { useCallback, useMemo, useState } from 'react';
import type { ClassRef, TextAttribution, TextInput } from '../../api/schema';
import { percent, plural, signed } from '../../base/format';
import { useBound } from '../../state/bound';
import { useDisplay, useSign } from '../../state/display';
import { DivergingBars } from './DivergingBars';
import { Meaning } from './Meaning';
import { withoutPadding } from './padding';
import type { Size } from './size';
import styles from './TextView.module.css';
import { type TokenLook, Tokens } from './Tokens';
import { byStrength, extentOf, largest, shareOf, tokenStyle, unnamed, type Weight } from './weights';

const TOP = 10;
const ON_CARD = 80; // tokens, more than five lines

interface TextViewProps {
  input: TextInput;
  attribution: TextAttribution | undefined;
  size: Size;
  target?: ClassRef | undefined;
}

/** Tokens on a background by weight, without padding; in the panel also the strongest ones as bars, linked with them. */
export function TextView({ input, attribution, size, target }: TextViewProps) {
  const weights = attribution?.weights ?? NONE;
  const bound = useBound('text', largest(weights));
  const look = useTokenLook(attribution, bound);
  const range = useMemo(() => withoutPadding(input.tokens), [input.tokens]);
  if (size === 'panel')
    return (
      <TextPanel input={input} weights={weights} target={target} bound={bound} look={look} range={range} />
    );
  const [from, to] = range;
  return (
    <p className={styles.short}>
      {input.tokens.slice(from, Math.min(to, from + ON_CARD)).map((token, i) => (
        <span key={i} className={styles.token} {...look(token, from + i)}>
          {token}
        </span>
      ))}
    </p>
  );
}

const NONE: Weight[] = [];

interface TextPanelProps {
  input: TextInput;
  weights: readonly Weight[];
  target: ClassRef | undefined;
  bound: number;
  look: TokenLook;
  range: readonly [number, number];
}

function TextPanel({ input, weights, target, bound, look, range }: TextPanelProps) {
  const [active, setActive] = useState<Active>(null);
  const [padded, setPadded] = useState(false);
  const sign = useSign();
  const { tokens } = input;
  const strongest = useMemo(() => byStrength(weights).filter((i) => weights[i] !== 0), [weights]);
  const top = strongest.slice(0, TOP);
  const place = active?.place ?? null;
  const shown = place === null || top.includes(place) ? top : [...top.slice(0, TOP - 1), place];
  const note = unnamed(tokens.length, weights);
  const hidden = tokens.length - (range[1] - range[0]);
  const ofText = useCallback(
    (place: number | null, byKey = false) => setActive(place === null ? null : { place, reveal: byKey }),
    [],
  );
  const ofBars = useCallback(
    (place: number | null) => setActive(place === null ? null : { place, reveal: true }),
    [],
  );
  return (
    <div className={styles.panel}>
      <Tokens
        name={input.name}
        tokens={tokens}
        range={padded ? [0, tokens.length] : range}
        look={look}
        active={place}
        reveal={active?.reveal ?? false}
        onActive={ofText}
      />
      {hidden > 0 && (
        <p className={styles.note}>
          {plural(hidden, 'token')} of padding
          {weights.length > 0 && `, ${percent(outside(weights, range))} of the attribution`}
          <Button size="compact-xs" variant="subtle" onClick={() => setPadded(!padded)}>
            {padded ? 'Hide' : 'Show'}
          </Button>
        </p>
      )}
      {weights.length > 0 && (
        <>
          {note && <p className={styles.note}>{note}</p>}
          <Meaning target={target} sign={sign} extent={extentOf(weights)} />
          <h3>Strongest tokens</h3>
          <DivergingBars
            label={`Strongest tokens of ${input.name}`}
            bars={shown.map((i) => ({ id: i, name: tokens[i] ?? `token ${i}`, weight: weights[i] }))}
            bound={bound}
            active={place}
            onActive={ofBars}
          />
        </>
      )}
    </div>
  );
}

/** The token pointed to, and whether to scroll to it. */
type Active = { place: number; reveal: boolean } | null;

/** Which share of the attribution padding has. */
function outside(weights: readonly Weight[], [from, to]: readonly [number, number]): number {
  return 1 - shareOf(weights, from, to);
}

/** A token's background and what is said of it. */
function useTokenLook(attribution: TextAttribution | undefined, bound: number): TokenLook {
  const { colors } = useDisplay().display;
  const sign = useSign();
  const scheme = useComputedColorScheme('light');
  return useCallback(
    (token: string, place: number) => {
      if (!attribution) return { title: token, style: undefined };
      const weight = attribution.weights[place];
      return {
        title: `${token}: ${signed(weight)}`,
        style: tokenStyle(weight, bound, sign, colors, scheme),
      };
    },
    [attribution, bound, sign, colors, scheme],
  );
}
