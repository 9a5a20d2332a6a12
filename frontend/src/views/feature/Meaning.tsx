import { capital } from '../../base/format';
import { COLOR_MAPS, type ColorMap } from '../../render/colors';
import type { Sign } from '../../render/paint';
import { useDisplay } from '../../state/display';
import { useTask } from '../../state/question';
import type { Meant } from '../common/meant';
import styles from './Legend.module.css';
import type { Extent } from './weights';

interface MeaningProps {
  target: Meant | undefined;
  /** The sign drawn, and what values there are. */
  sign: Sign;
  extent: Extent;
}

/** What the two colours say of the class explained. */
export function Meaning({ target, sign, extent }: MeaningProps) {
  const { colors } = useDisplay().display;
  const task = useTask();
  if (!target) return null;
  const whose = task === 'regression' ? 'a higher output' : `‘${target.name}’`;
  const other = target.against === null ? null : `‘${target.against}’`;
  return <p className={styles.meaning}>{meaning(colors, sign, whose, extent, other)}</p>;
}

/** "Red speaks for ‘9’, blue against." In every colour map one hue is for and the other against, or for another class. */
export function meaning(
  colors: ColorMap,
  sign: Sign,
  whose: string,
  { minimum, maximum }: Extent,
  other: string | null = null,
): string {
  const { positive, negative } = COLOR_MAPS[colors];
  const both = other === null ? whose : `${whose} or ${other}`;
  if (sign === 'absolute') return `The stronger the ${positive}, the more it matters to ${both}.`;
  const pro = `${maximum > 0 ? capital(positive) : 'Nothing'} speaks for ${whose}`;
  const con = `${minimum < 0 ? capital(negative) : 'Nothing'} speaks ${other === null ? `against ${whose}` : `for ${other}`}`;
  if (sign === 'positive') return `${pro}.`;
  if (sign === 'negative') return `${con}.`;
  const short = other === null ? 'against' : `for ${other}`;
  if (maximum > 0) return `${pro}, ${minimum < 0 ? negative : 'nothing'} ${short}.`;
  if (minimum < 0) return `${con}, nothing for${other === null ? '' : ` ${whose}`}.`;
  return `Nothing speaks for ${other === null ? `or against ${whose}` : both}.`;
}
