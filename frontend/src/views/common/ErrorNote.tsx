import { Button } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { exceptionName, messageOf } from '../../api/failure';
import type { ApiError } from '../../api/schema';
import { sentence } from '../../base/sentence';
import styles from './ErrorNote.module.css';

interface ErrorNoteProps {
  error: ApiError;
  retry?: () => void;
  /** Whether Tab stops at its button. */
  stops?: boolean;
}

/** What failed, why, and what to try. */
export function ErrorNote({ error, retry, stops = true }: ErrorNoteProps) {
  const name = exceptionName(error);
  return (
    <div className={styles.note}>
      <IconAlertTriangle size={15} aria-hidden />
      <div>
        {name && <b>{name}</b>}
        <p>{messageOf(error)}</p>
        {error.hint && <p className={styles.hint}>{sentence(error.hint)}</p>}
        {retry && (
          <Button size="compact-xs" variant="default" tabIndex={stops ? 0 : -1} onClick={retry}>
            Retry
          </Button>
        )}
      </div>
    </div>
  );
}
