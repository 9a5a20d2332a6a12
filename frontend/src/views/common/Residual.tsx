import type { Prediction } from '../../api/schema';
import { number, signed } from '../../base/format';
import styles from './Mark.module.css';

interface ResidualProps {
  prediction: Prediction | undefined;
  /** Said, too, where it is given. */
  truth?: number | null | undefined;
}

/** How far a regression is off what is true. */
export function Residual({ prediction, truth }: ResidualProps) {
  if (!prediction || prediction.residual === null) return null;
  return (
    <span className={styles.unknown} title="Output minus the true value">
      {typeof truth === 'number' && `true ${number(truth)}, `}off by {signed(prediction.residual)}
    </span>
  );
}
