import { IconCheck, IconX } from '@tabler/icons-react';
import styles from './Mark.module.css';

/** Whether a prediction is right: by shape, word and colour. */
export function Mark({ correct, word = false }: { correct: boolean | null; word?: boolean }) {
  if (correct === null) return word ? <span className={styles.unknown}>No label</span> : null;
  const text = correct ? 'Correct' : 'Incorrect';
  const Icon = correct ? IconCheck : IconX;
  return (
    <span className={correct ? styles.correct : styles.incorrect} title={text}>
      <Icon size={13} stroke={2.6} aria-hidden />
      <span className={word ? undefined : styles.hidden}>{text}</span>
    </span>
  );
}
