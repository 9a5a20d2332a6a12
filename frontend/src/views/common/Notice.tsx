import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { exceptionName, Failure, messageOf } from '../../api/failure';
import type { ApiError } from '../../api/schema';
import { sentence } from '../../base/sentence';
import { Main } from './Main';
import styles from './Notice.module.css';

interface NoticeProps {
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
  /** Where it is all that the page says. */
  alone?: boolean;
}

/** One calm sentence in the middle of an empty place, with what can be done. */
export function Notice({ title, children, actions, alone = false }: NoticeProps) {
  const Heading = alone ? 'h1' : 'h2';
  return (
    <div className={styles.notice} role="status">
      <Heading>{title}</Heading>
      {children && <p>{children}</p>}
      {actions && <div className={styles.actions}>{actions}</div>}
    </div>
  );
}

export function Connecting() {
  return (
    <Main className={styles.whole}>
      <Notice alone title="Connecting…">
        Asking the server what there is to explain.
      </Notice>
    </Main>
  );
}

export function NoMethods() {
  return (
    <Main className={styles.whole}>
      <Notice alone title="No attribution method">
        The server offers no method to explain predictions with.
      </Notice>
    </Main>
  );
}

interface Retryable {
  error: unknown;
  retry: () => unknown;
  retrying: boolean;
}

/** Nothing can be shown at all. */
export function Unavailable(props: Retryable) {
  return (
    <Main className={styles.whole}>
      <Failed {...props} alone />
    </Main>
  );
}

/** What went wrong, in the place of what should be there. */
export function Failed({ error, retry, retrying, alone = false }: Retryable & { alone?: boolean }) {
  const failure = Failure.from(error);
  const action = (
    <Button size="xs" onClick={() => retry()} loading={retrying}>
      Try again
    </Button>
  );
  return (
    <Notice alone={alone} title={messageOf(failure)} actions={action}>
      {sentence(failure.hint) || exceptionName(failure)}
    </Notice>
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
        <b>{messageOf(error)}</b> {sentence(error.hint)}
      </span>
      {retry && (
        <Button size="compact-xs" variant="default" onClick={() => retry()} loading={retrying}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** Something to know beside what is shown. */
export function Note({ children, onDismiss }: { children: ReactNode; onDismiss?: () => void }) {
  return (
    <div className={styles.banner} role="status">
      <span>{children}</span>
      {onDismiss && (
        <Button size="compact-xs" variant="default" onClick={onDismiss}>
          Dismiss
        </Button>
      )}
    </div>
  );
}
