import type { ReactNode } from 'react';
import type { Sample } from '../../api/schema';
import styles from './Compare.module.css';

/** A grid of tiles; those with text take the whole width. */
export function Tiles({ label, sample, children }: { label: string; sample: Sample; children: ReactNode }) {
  const wide = sample.inputs.some((input) => input.kind === 'text');
  return (
    <ul className={styles.tiles} aria-label={label} data-wide={wide || undefined}>
      {children}
    </ul>
  );
}
