import { UnstyledButton, useComputedColorScheme } from '@mantine/core';
import { useRovingIndex } from '@mantine/hooks';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type ReactNode, useRef } from 'react';
import { number, signed } from '../../base/format';
import { css, strongColor } from '../../render/colors';
import { position } from '../../render/paint';
import { useDisplay, useSign } from '../../state/display';
import { Name } from '../common/Name';
import styles from './DivergingBars.module.css';
import type { Weight } from './weights';

const MANY = 150; // bars, beyond which only those near the screen exist
const ROW = 22; // px

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
  const { getItemProps } = useRovingIndex({ total: bars.length, orientation: 'vertical', loop: false });
  const withValues = bars.some((bar) => bar.value !== undefined);
  if (bars.length > MANY) return <ManyBars label={label} bars={bars} bound={bound} />;
  return (
    <ul
      className={styles.bars}
      aria-label={label}
      data-values={withValues || undefined}
      data-compact={compact || undefined}
      data-keys={onActive && 'own'}
    >
      {bars.map((bar, place) => (
        <li
          key={bar.id}
          data-active={active === bar.id || undefined}
          onPointerEnter={() => onActive?.(bar.id)}
          onPointerLeave={() => onActive?.(null)}
          onFocus={() => onActive?.(bar.id)}
          onBlur={() => onActive?.(null)}
        >
          <Row bar={bar} bound={bound} withValue={withValues}>
            {onActive ? (
              <UnstyledButton className={styles.name} {...getItemProps({ index: place })}>
                <Name text={bar.name} />
              </UnstyledButton>
            ) : (
              <span
                className={styles.name}
                title={compact ? `${bar.name}: ${signed(bar.weight)}` : undefined}
              >
                <Name text={bar.name} />
              </span>
            )}
          </Row>
        </li>
      ))}
    </ul>
  );
}

/** Thousands of bars in a box that scrolls, of which only those near the screen exist. */
function ManyBars({ label, bars, bound }: Pick<DivergingBarsProps, 'label' | 'bars' | 'bound'>) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: bars.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 8,
  });
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be in reach of the keys
    <div ref={box} className={styles.box} tabIndex={0} role="group" aria-label={label} data-keys="own">
      <ul className={styles.many} aria-label={label} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const bar = bars[index] as Bar;
          return (
            <li
              key={bar.id}
              aria-setsize={bars.length}
              aria-posinset={index + 1}
              style={{ transform: `translateY(${start}px)` }}
            >
              <Row bar={bar} bound={bound} withValue>
                <span className={styles.name}>
                  <Name text={bar.name} />
                </span>
              </Row>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

interface RowProps {
  bar: Bar;
  bound: number;
  withValue: boolean;
  /** The name. */
  children: ReactNode;
}

function Row({ bar: { weight, value }, bound, withValue, children }: RowProps) {
  const { colors } = useDisplay().display;
  const sign = useSign();
  const scheme = useComputedColorScheme('light');
  const t = typeof weight === 'number' ? position(weight, bound, sign) : 0;
  return (
    <>
      {children}
      {withValue && <span className={styles.value}>{value === undefined ? '' : number(value)}</span>}
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
    </>
  );
}
