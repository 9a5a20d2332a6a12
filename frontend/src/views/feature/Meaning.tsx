import type { TargetRef } from '../../api/schema';
import { capital } from '../../base/format';
import { COLOR_MAPS, type ColorMap } from '../../render/colors';
import type { Sign } from '../../render/paint';
import { useDisplay } from '../../state/display';
import { useTask } from '../../state/question';
import styles from './Legend.module.css';
import type { Extent } from './weights';

interface MeaningProps {
  target: TargetRef | undefined;
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
  return <p className={styles.meaning}>{meaning(colors, sign, whose, extent)}</p>;
}

/** "Red speaks for ‘9’, blue against." In every colour map one hue is for and the other against. */
export function meaning(colors: ColorMap, sign: Sign, whose: string, { minimum, maximum }: Extent): string {
  const { positive, negative } = COLOR_MAPS[colors];
  if (sign === 'absolute') return `The stronger the ${positive}, the more it matters to ${whose}.`;
  const pro = `${maximum > 0 ? capital(positive) : 'Nothing'} speaks for ${whose}`;
  const con = `${minimum < 0 ? capital(negative) : 'Nothing'} speaks against ${whose}`;
  if (sign === 'positive') return `${pro}.`;
  if (sign === 'negative') return `${con}.`;
  if (minimum < 0) return maximum > 0 ? `${pro}, ${negative} against.` : `${con}, nothing for.`;
  return maximum > 0 ? `${pro}, nothing against.` : `Nothing speaks for or against ${whose}.`;
}
