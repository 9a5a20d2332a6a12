import { Button, useComputedColorScheme } from '@mantine/core';
import { useCallback, useMemo, useState } from 'react';
import type { TextAttribution, TextInput } from '../../api/schema';
import { capital, percent, plural, signed } from '../../base/format';
import { useBound } from '../../state/bound';
import { useDisplay, useSign } from '../../state/display';
import { Choice } from '../common/Choice';
import type { Meant } from '../common/meant';
import { DivergingBars } from './DivergingBars';
import { Meaning } from './Meaning';
import { withoutPadding } from './padding';
import { kindsOf, type TextReading, useReading } from './parts';
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
  target?: Meant | undefined;
}

/** Words, or their pieces, on a background by weight, without padding; in the panel the strongest ones as bars, linked with them. */
export function TextView({ input, attribution, size, target }: TextViewProps) {
  const reading = useReading(input, attribution);
  const { parts, weights } = reading;
  const bound = useBound('text', largest(weights));
  const look = useTokenLook(weights, bound);
  const range = useMemo(() => withoutPadding(parts.map(({ text }) => text)), [parts]);
  if (size === 'panel')
    return (
      <TextPanel input={input} reading={reading} target={target} bound={bound} look={look} range={range} />
    );
  const [from, to] = range;
  return (
    <p className={styles.short}>
      {parts.slice(from, Math.min(to, from + ON_CARD)).map(({ text, special }, i) => (
        <span key={i} className={styles.token} data-quiet={special || undefined} {...look(text, from + i)}>
          {text}
        </span>
      ))}
    </p>
  );
}

interface TextPanelProps {
  input: TextInput;
  reading: TextReading;
  target: Meant | undefined;
  bound: number;
  look: TokenLook;
  range: readonly [number, number];
}

function TextPanel({ input, reading, target, bound, look, range }: TextPanelProps) {
  const [active, setActive] = useState<Active>(null);
  const [padded, setPadded] = useState(false);
  const sign = useSign();
  const { display, change } = useDisplay();
  const { parts, weights, noun } = reading;
  const kinds = useMemo(() => kindsOf(input.tokens), [input.tokens]);
  const strongest = useMemo(() => byStrength(weights).filter((i) => weights[i] !== 0), [weights]);
  const top = strongest.slice(0, TOP);
  const place = active?.place ?? null;
  const shown = place === null || top.includes(place) ? top : [...top.slice(0, TOP - 1), place];
  const note = unnamed(parts.length, weights);
  const hidden = parts.length - (range[1] - range[0]);
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
      {Object.keys(kinds).length > 1 && !note && (
        <Choice
          label={`${input.name} in`}
          value={display.parts in kinds ? display.parts : 'words'}
          options={kinds}
          onChange={(parts) => change({ parts })}
        />
      )}
      <Tokens
        key={display.parts}
        name={`${capital(noun)}s of ${input.name}`}
        parts={parts}
        flowing={noun === 'sentence'}
        range={padded ? [0, parts.length] : range}
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
          <h3>Strongest {noun}s</h3>
          <DivergingBars
            label={`Strongest ${noun}s of ${input.name}`}
            bars={shown.map((i) => ({ id: i, name: parts[i]?.text ?? `token ${i}`, weight: weights[i] }))}
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
function useTokenLook(weights: readonly Weight[], bound: number): TokenLook {
  const { colors } = useDisplay().display;
  const sign = useSign();
  const scheme = useComputedColorScheme('light');
  return useCallback(
    (token: string, place: number) => {
      if (weights.length === 0) return { title: token, style: undefined };
      const weight = weights[place];
      return {
        title: `${token}: ${signed(weight)}`,
        style: tokenStyle(weight, bound, sign, colors, scheme),
      };
    },
    [weights, bound, sign, colors, scheme],
  );
}
