import type { InputAttribution } from '../../api/client';
import { percent, signed } from '../../base/format';
import styles from './Contributions.module.css';
import { Name } from './Name';

/** How much each input contributed: its share of the absolute total, and its signed sum. */
export function Contributions({ inputs }: { inputs: InputAttribution[] }) {
  return (
    <ul className={styles.list} aria-label="Contribution of each input">
      {inputs.map(({ name, contribution: { total, share } }, place) => (
        <li key={place}>
          <Name className={styles.name} text={name} />
          <span className={styles.track} aria-hidden>
            <span style={{ width: `${100 * (share ?? 0)}%` }} />
          </span>
          <span className={styles.number}>{share === null ? '–' : percent(share)}</span>
          <span className={styles.number}>{signed(total)}</span>
        </li>
      ))}
    </ul>
  );
}
