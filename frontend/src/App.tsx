import './views/mantine';
import { MantineProvider } from '@mantine/core';
import { QueryClientProvider } from '@tanstack/react-query';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Connection, Transport } from './api/transport';
import { type Observable, useObservable, Variable } from './base/observable';
import { useWorkspaceQuery } from './state/data';
import { DisplayProvider } from './state/display';
import { type Host, HostContext, useHost } from './state/host';
import { QuestionProvider } from './state/question';
import { createServices, type Services, ServicesProvider, useServices } from './state/services';
import { WorkspaceContext } from './state/workspace';
import { ConnectionNote } from './views/common/ConnectionNote';
import { ErrorBoundary } from './views/common/ErrorBoundary';
import { Locked } from './views/common/Locked';
import { Connecting, NoMethods, Unavailable } from './views/common/Notice';
import { Screen } from './views/Screen';
import { createAppTheme, cssVariables } from './views/theme';
import styles from './views/tokens.module.css';

const UNDECIDED = new Variable(undefined);
const ALWAYS_READY = new Variable<Connection>('ready');

/** The whole dashboard; it owns its state, and knows of its surroundings only what `host` says. */
export function App({ transport, host }: { transport: Transport; host: Host }) {
  const [services] = useState<Services>(() => createServices(transport));
  const [popups, setPopups] = useState<HTMLElement | null>(null);
  const scheme = useObservable(host.scheme ?? UNDECIDED);
  const theme = useMemo(() => createAppTheme(popups), [popups]);
  useCancelOnLeave(services);
  return (
    <HostContext value={host}>
      <MantineProvider
        theme={theme}
        defaultColorScheme={scheme ?? 'auto'}
        forceColorScheme={scheme}
        getRootElement={host.rootElement}
        cssVariablesSelector={host.variablesSelector}
        cssVariablesResolver={cssVariables}
        getStyleNonce={host.nonce === undefined ? undefined : () => host.nonce ?? ''}
      >
        <QueryClientProvider client={services.queries}>
          <ServicesProvider services={services}>
            <div className={styles.app}>
              <ErrorBoundary>
                <Inside connection={transport.connection} />
              </ErrorBoundary>
              {transport.connection && <ConnectionNote connection={transport.connection} />}
              <section ref={setPopups} aria-label="Menus and dialogs" />
            </div>
          </ServicesProvider>
        </QueryClientProvider>
      </MantineProvider>
    </HostContext>
  );
}

/** The dashboard, or the way in where the server does not answer without its token. */
function Inside({ connection = ALWAYS_READY }: { connection?: Observable<Connection> }) {
  const { queries } = useServices();
  const known = queries.getQueryData(['workspace']) !== undefined;
  return useObservable(connection) === 'locked' ? <Locked again={known} /> : <Workspace />;
}

function Workspace() {
  const { data, error, refetch, isFetching } = useWorkspaceQuery();
  const { setTitle } = useHost();
  useEffect(() => {
    if (data) setTitle?.(data.title);
  }, [data, setTitle]);
  if (error && !data) return <Unavailable error={error} retry={refetch} retrying={isFetching} />;
  if (!data) return <Connecting />;
  if (data.methods.length === 0) return <NoMethods />;
  return (
    <WorkspaceContext value={data}>
      <QuestionProvider>
        <DisplayProvider>
          <Screen />
        </DisplayProvider>
      </QuestionProvider>
    </WorkspaceContext>
  );
}

/** Tells the server that nobody waits for unfinished jobs any more once the page or the cell is gone; forgets all. */
function useCancelOnLeave({ queries }: Services): void {
  const mounted = useRef(false);
  useEffect(() => {
    mounted.current = true;
    const leave = () => queries.cancelQueries();
    window.addEventListener('pagehide', leave);
    return () => {
      mounted.current = false;
      window.removeEventListener('pagehide', leave);
      void leave().then(() => mounted.current || queries.clear());
    };
  }, [queries]);
}
