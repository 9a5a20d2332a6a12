import { useDidUpdate } from '@mantine/hooks';
import type { Connection } from '../../api/transport';
import { type Observable, useObservable } from '../../base/observable';
import { useReconnect } from '../../state/data';
import styles from './Notice.module.css';

const TEXTS: Record<Connection, string> = {
  ready: '',
  busy: 'The kernel is busy with a cell; waiting',
  gone: 'The kernel is gone: run the cell again',
  locked: '', // the whole page says so
};

/** Says that nobody answers just now; asks again for what was lost once somebody does. */
export function ConnectionNote({ connection }: { connection: Observable<Connection> }) {
  const state = useObservable(connection);
  const reconnect = useReconnect();
  useDidUpdate(() => {
    if (state === 'ready') reconnect();
  }, [state]);
  return (
    <div className={styles.connection} role={state === 'gone' ? 'alert' : 'status'} data-state={state}>
      {TEXTS[state]}
    </div>
  );
}
