import { lazy, type ReactNode, Suspense, useRef } from 'react';
import { ErrorBoundary } from './common/ErrorBoundary';
import styles from './Screen.module.css';

const FindDrawer = lazy(() => import('./find/FindDrawer'));

interface FindZoneProps {
  /** Whether there is a column for it; else it is a drawer, fetched when first opened. */
  column: boolean;
  opened: boolean;
  onClose: () => void;
  children: ReactNode;
}

/** The place of FIND. */
export function FindZone({ column, opened, onClose, children }: FindZoneProps) {
  const wanted = useRef(false);
  wanted.current ||= opened;
  if (column) {
    return (
      <aside className={styles.find} aria-label="Find">
        {children}
      </aside>
    );
  }
  return (
    <ErrorBoundary fallback={null}>
      <Suspense>
        {wanted.current && (
          <FindDrawer opened={opened} onClose={onClose}>
            {children}
          </FindDrawer>
        )}
      </Suspense>
    </ErrorBoundary>
  );
}
