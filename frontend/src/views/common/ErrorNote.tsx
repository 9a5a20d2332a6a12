import { Button } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import { exceptionName, messageOf } from '../../api/failure';
import type { ApiError } from '../../api/schema';
import { sentence } from '../../base/sentence';
import styles from './ErrorNote.module.css';

/** What failed, why, and what to try. */
export function ErrorNote({ error, retry }: { error: ApiError; retry?: () => void }) {
  const name = exceptionName(error);
  return (
    <div className={styles.note}>
      <IconAlertTriangle size={15} aria-hidden />
      <div>
        {name && <b>{name}</b>}
        <p>{messageOf(error)}</p>
        {error.hint && <p className={styles.hint}>{sentence(error.hint)}</p>}
        {retry && (
          <Button size="compact-xs" variant="default" onClick={retry}>
            Retry
          </Button>
        )}
      </div>
    </div>
  );
}
