import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { Failure } from '../../api/failure';
import type { ApiError } from '../../api/schema';
import styles from './Notice.module.css';

/** One calm sentence in the middle of an empty place, with what can be done. */
export function Notice({
  title,
  children,
  actions,
}: {
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className={styles.notice} role="status">
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {actions && <div className={styles.actions}>{actions}</div>}
    </div>
  );
}

export function Connecting() {
  return (
    <main className={styles.whole}>
      <Notice title="Connecting…">Asking the server what there is to explain.</Notice>
    </main>
  );
}

export function NoMethods() {
  return (
    <main className={styles.whole}>
      <Notice title="No attribution method">The server offers no method to explain predictions with.</Notice>
    </main>
  );
}

interface Retryable {
  error: unknown;
  retry: () => unknown;
  retrying: boolean;
}

/** Nothing can be shown at all. */
export function Unavailable({ error, retry, retrying }: Retryable) {
  const failure = Failure.from(error);
  const action = (
    <Button size="xs" onClick={() => retry()} loading={retrying}>
      Try again
    </Button>
  );
  return (
    <main className={styles.whole}>
      <Notice title={failure.message} actions={action}>
        {failure.hint || failure.type}
      </Notice>
    </main>
  );
}

/** A failure beside data that are still there. */
export function Banner({
  error,
  retry,
  retrying = false,
}: {
  error: ApiError;
  retry?: () => unknown;
  retrying?: boolean;
}) {
  return (
    <div className={styles.banner} role="alert">
      <span>
        <b>{error.message}</b> {error.hint}
      </span>
      {retry && (
        <Button size="compact-xs" variant="default" onClick={() => retry()} loading={retrying}>
          Try again
        </Button>
      )}
    </div>
  );
}
