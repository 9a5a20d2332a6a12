import { useComputedColorScheme } from '@mantine/core';
import type { AttributionMap } from '../../api/schema';
import { fixed, ordinal, percent, signed } from '../../base/format';
import type { Cells } from '../../render/cells';
import { clippedShare } from '../../render/clip';
import { type Layer, lookup, type Sign } from '../../render/paint';
import { useMapBound } from '../../state/bound';
import { useCells } from '../../state/cells';
import { useDisplay, useSign } from '../../state/display';
import type { Meant } from '../common/meant';
import styles from './Legend.module.css';
import { hasSign } from './MapCanvas';
import { Meaning } from './Meaning';
import type { Extent } from './weights';

interface LegendProps {
  map: AttributionMap;
  layer: Layer;
  target: Meant | undefined;
}

/** What the colours mean, in numbers, and what was clipped by which rule. */
export function Legend({ map, layer, target }: LegendProps) {
  const cells = useCells(map);
  const { display } = useDisplay();
  const sign = useSign(hasSign(map));
  const bound = useMapBound(cells);
  const scheme = useComputedColorScheme('light');
  if (!cells) return null;
  const [low, high] = shownRange(cells, sign);
  const ticks = low < 0 && high > 0 ? [low, 0, high] : [low, high];
  const gradient = stops(low, high, lookup(layer, display.colors, display.opacity, scheme));
  return (
    <div className={styles.legend}>
      {low < high && (
        <>
          <div className={styles.bar} data-layer={layer}>
            <div style={{ background: `linear-gradient(90deg, ${gradient})` }} />
          </div>
          <div className={styles.ticks}>
            {ticks.map((tick) => (
              <span key={tick}>{tick === 0 ? '0' : signed(tick * bound)}</span>
            ))}
          </div>
        </>
      )}
      {layer === 'masked' ? (
        <p className={styles.meaning}>Grey covers what matters little{MATTERS[sign]}.</p>
      ) : (
        <Meaning target={target} sign={sign} extent={cells} />
      )}
      <p className={styles.rule}>
        {unitRule(map, cells)}
        {low < high ? clippingRule(cells.values, bound, display, low === 0) : nothing(sign)}
      </p>
    </div>
  );
}

const MATTERS: Record<Sign, string> = {
  both: ', for or against',
  positive: ', or speaks against',
  negative: ', or speaks for',
  absolute: '',
};

/** What a value is the attribution of, where that is more than its pixel. */
const UNIT_RULES: Record<AttributionMap['unit'], string> = {
  pixel: '',
  patch: 'Every pixel shows the value of its whole patch. ',
  window: 'Every pixel shows the mean of the windows that cover it. ',
  layer: 'The layer’s positions are stretched over the picture. ',
};

function unitRule({ unit }: AttributionMap, { side }: Cells): string {
  return side > 1 ? `Every patch of ${side} × ${side} px shows the sum of its pixels. ` : UNIT_RULES[unit];
}

/** From where to where the colours reach, as shares of the bound: only as far as there are values of the sign. */
export function shownRange({ minimum, maximum }: Extent, sign: Sign): readonly [number, number] {
  if (sign === 'absolute') return [0, minimum < 0 || maximum > 0 ? 1 : 0];
  return [minimum < 0 && sign !== 'positive' ? -1 : 0, maximum > 0 && sign !== 'negative' ? 1 : 0];
}

function nothing(sign: Sign): string {
  return sign === 'both' || sign === 'absolute' ? 'Every value is zero.' : `No value is ${sign}.`;
}

/** "Values beyond ±0.031 (99th percentile of |a|) are clipped: 1.0 %."; without ± where none is negative. */
export function clippingRule(
  values: Float32Array,
  bound: number,
  { clip, scale }: { clip: number; scale: 'image' | 'shared' },
  unsigned = false,
): string {
  if (bound === 0) return 'Every value is zero.';
  const share = clippedShare(values, bound);
  const source = `${clip === 100 ? 'the largest' : `${ordinal(clip)} percentile of`} |a|`;
  const whose = scale === 'shared' ? `${source}, largest on screen` : source;
  const reach = `${unsigned ? '' : '±'}${fixed(bound)}`;
  if (share === 0) return `Colours reach ${reach} (${whose}); nothing is clipped.`;
  return `Values beyond ${reach} (${whose}) are clipped: ${percent(share)}.`;
}

function stops(low: number, high: number, table: Uint32Array): string {
  const steps = 24;
  return Array.from({ length: steps + 1 }, (_, i) => {
    const t = low + ((high - low) * i) / steps;
    const word = table[128 + Math.round(t * 127)] as number;
    return `rgb(${word & 255} ${(word >> 8) & 255} ${(word >> 16) & 255} / ${(word >>> 24) / 255})`;
  }).join(', ');
}
