import { Button } from '@mantine/core';
import { IconAlertTriangle } from '@tabler/icons-react';
import type { ApiError } from '../../api/schema';
import styles from './ErrorNote.module.css';

/** What failed, why, and what to try. */
export function ErrorNote({ error, retry }: { error: ApiError; retry?: () => void }) {
  return (
    <div className={styles.note}>
      <IconAlertTriangle size={15} aria-hidden />
      <div>
        <b>{error.type}</b>
        <p>{error.message}</p>
        {error.hint && <p className={styles.hint}>{error.hint}</p>}
        {retry && (
          <Button size="compact-xs" variant="default" onClick={retry}>
            Retry
          </Button>
        )}
      </div>
    </div>
  );
}
