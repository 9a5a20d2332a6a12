import styles from './Name.module.css';

const LONG = 24; // letters; what is shorter is cut, if at all, at its end
const TAIL = 8; // letters at the end, by which long names mostly differ

/** A name that keeps its end where there is no room for all of it; the whole in a tooltip. */
export function Name({ text, className = '' }: { text: string; className?: string | undefined }) {
  const cut = text.length > LONG ? text.length - TAIL : text.length;
  return (
    <span className={`${styles.name} ${className}`} title={text}>
      <span className={styles.head}>{text.slice(0, cut)}</span>
      {cut < text.length && <span className={styles.tail}>{text.slice(cut)}</span>}
    </span>
  );
}
