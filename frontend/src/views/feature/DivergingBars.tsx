import { UnstyledButton, useComputedColorScheme } from '@mantine/core';
import { useRovingIndex } from '@mantine/hooks';
import { number, signed } from '../../base/format';
import { css, strongColor } from '../../render/colors';
import { position } from '../../render/paint';
import { useDisplay, useSign } from '../../state/display';
import styles from './DivergingBars.module.css';
import type { Weight } from './weights';

interface Bar {
  id: number;
  name: string;
  weight: Weight;
  value?: number | null | undefined;
}

interface DivergingBarsProps {
  label: string;
  bars: Bar[];
  bound: number;
  /** Without room for the weights, which then only the ear gets. */
  compact?: boolean;
  active?: number | null;
  onActive?: (id: number | null) => void;
}

/** Bars to the left and right of zero, each with its name and numbers; where linked, arrow keys move along them. */
export function DivergingBars({ label, bars, bound, compact = false, active, onActive }: DivergingBarsProps) {
  const { colors } = useDisplay().display;
  const sign = useSign();
  const scheme = useComputedColorScheme('light');
  const { getItemProps } = useRovingIndex({ total: bars.length, orientation: 'vertical', loop: false });
  const withValues = bars.some((bar) => bar.value !== undefined);
  return (
    <ul
      className={styles.bars}
      aria-label={label}
      data-values={withValues || undefined}
      data-compact={compact || undefined}
      data-keys={onActive && 'own'}
    >
      {bars.map(({ id, name, weight, value }, place) => {
        const t = typeof weight === 'number' ? position(weight, bound, sign) : 0;
        return (
          <li
            key={id}
            data-active={active === id || undefined}
            onPointerEnter={() => onActive?.(id)}
            onPointerLeave={() => onActive?.(null)}
            onFocus={() => onActive?.(id)}
            onBlur={() => onActive?.(null)}
          >
            {onActive ? (
              <UnstyledButton className={styles.name} title={name} {...getItemProps({ index: place })}>
                {name}
              </UnstyledButton>
            ) : (
              <span className={styles.name} title={compact ? `${name}: ${signed(weight)}` : name}>
                {name}
              </span>
            )}
            {withValues && <span className={styles.value}>{value === undefined ? '' : number(value)}</span>}
            <span className={styles.track} aria-hidden>
              <span
                style={{
                  width: `${50 * Math.abs(t)}%`,
                  [t < 0 ? 'right' : 'left']: '50%',
                  backgroundColor: css(strongColor(colors, t, scheme)),
                }}
              />
            </span>
            <span className={styles.weight}>{weight === undefined ? '' : signed(weight)}</span>
          </li>
        );
      })}
    </ul>
  );
}
