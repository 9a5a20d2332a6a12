import { UnstyledButton } from '@mantine/core';
import type { RefObject } from 'react';
import styles from './SkipLinks.module.css';

/** Ways past what comes first, for the keyboard: seen only while they have the focus. */
export function SkipLinks({ to }: { to: Record<string, RefObject<HTMLElement | null>> }) {
  return (
    <nav aria-label="Skip">
      {Object.entries(to).map(([text, place]) => (
        <UnstyledButton key={text} className={styles.skip} onClick={() => place.current?.focus()}>
          {text}
        </UnstyledButton>
      ))}
    </nav>
  );
}
