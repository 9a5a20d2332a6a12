import { createContext, useContext } from 'react';
import type { Address } from './address';
import type { Observable } from './observable';
import type { Seen } from './report';
import type { Scheme } from './scheme';

/** What the place the dashboard is mounted in provides: a page, or later a cell of a notebook. */
export interface Host {
  address: Address;
  /** The element that carries the colour scheme; shadow roots name their own. */
  rootElement: () => HTMLElement | undefined;
  /** Where Mantine's variables are declared: ":root" or ":host". */
  variablesSelector: string;
  /** Where the keys j, k and the arrows are listened for. */
  keys: () => EventTarget;
  /** An address that shows this very view again; absent where there is none. */
  link?: () => string;
  /** Whether it is a part of somebody else's page. */
  embedded?: boolean;
  /** Light or dark as the surroundings are; absent where the person chooses. */
  scheme?: Observable<Scheme>;
  /** Told what is on the screen, and whether all of it has been explained. */
  report?: (seen: Seen, finished: boolean) => void;
  setTitle?: (title: string) => void;
}

export const HostContext = createContext<Host | null>(null);

export function useHost(): Host {
  const host = useContext(HostContext);
  if (!host) throw new Error('useHost: outside of <HostContext>');
  return host;
}
