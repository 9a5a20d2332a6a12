import { type Query, QueryCache, QueryClient } from '@tanstack/react-query';
import { createContext, type ReactNode, useContext } from 'react';
import { type Api, createApi } from '../api/client';
import { createExplainer, type Explainer } from '../api/explain';
import { isUnreachable } from '../api/failure';
import { Slots } from '../api/slots';
import type { Transport } from '../api/transport';
import { Scales } from './scales';

const AT_ONCE = 8; // explanations asked for at the same time by one tab

/** What one mounted dashboard owns; nothing of it is shared with another one on the same page. */
export interface Services {
  api: Api;
  queries: QueryClient;
  slots: Slots;
  explain: Explainer;
  scales: Scales;
}

export function createServices(transport: Transport): Services {
  const api = createApi(transport);
  const slots = new Slots(AT_ONCE);
  const retry = (failures: number, error: Error) => failures < 1 && isUnreachable(error);
  const queries = new QueryClient({
    queryCache: new QueryCache(recovery(() => refetchLost(queries))),
    defaultOptions: { queries: { retry, refetchOnWindowFocus: false, networkMode: 'always' } },
  });
  return { api, queries, slots, explain: createExplainer(api, slots), scales: new Scales() };
}

/** Whatever is answered after something was not means that the server is back. */
function recovery(recover: () => void) {
  let lost = false;
  return {
    onError: (error: Error) => {
      lost ||= isUnreachable(error);
    },
    onSuccess: () => {
      if (lost) recover();
      lost = false;
    },
  };
}

/** Asks again everything on screen that found no server. */
export function refetchLost(queries: QueryClient): void {
  const predicate = ({ state }: Query) => state.error !== null && isUnreachable(state.error);
  void queries.refetchQueries({ type: 'active', predicate });
}

const Context = createContext<Services | null>(null);

export function ServicesProvider({ services, children }: { services: Services; children: ReactNode }) {
  return <Context value={services}>{children}</Context>;
}

export function useServices(): Services {
  const services = useContext(Context);
  if (!services) throw new Error('useServices: outside of <ServicesProvider>');
  return services;
}
