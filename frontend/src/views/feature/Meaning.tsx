import type { ClassRef } from '../../api/schema';
import { COLOR_MAPS, type ColorMap } from '../../render/colors';
import type { Sign } from '../../render/paint';
import { useDisplay } from '../../state/display';
import { useTask } from '../../state/question';
import styles from './Legend.module.css';

/** What the two colours say of the class explained. */
export function Meaning({ target, unsigned = false }: { target: ClassRef | undefined; unsigned?: boolean }) {
  const { colors, sign } = useDisplay().display;
  const task = useTask();
  if (!target) return null;
  const whose = task === 'regression' ? 'a higher output' : `‘${target.name}’`;
  return <p className={styles.meaning}>{meaning(colors, unsigned ? 'absolute' : sign, whose)}</p>;
}

/** "Red speaks for ‘9’, blue against." In every colour map one hue is for and the other against. */
export function meaning(colors: ColorMap, sign: Sign, whose: string): string {
  const { positive, negative } = COLOR_MAPS[colors];
  const start = (word: string) => word.slice(0, 1).toUpperCase() + word.slice(1);
  if (sign === 'absolute') return `The stronger the ${positive}, the more it matters to ${whose}.`;
  if (sign === 'positive') return `${start(positive)} speaks for ${whose}.`;
  if (sign === 'negative') return `${start(negative)} speaks against ${whose}.`;
  return `${start(positive)} speaks for ${whose}, ${negative} against.`;
}
