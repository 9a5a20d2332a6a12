import { createContext, useContext } from 'react';
import type { Selection } from '../api/schema';
import type { Observable } from '../base/observable';
import type { Scheme } from '../base/scheme';

/** Where the view is kept as a query string: the page's own address, or a trait of a notebook's widget. */
export interface Address extends Observable<string> {
  /** `replace`: without a step for Back. */
  write(search: string, replace: boolean): void;
}

export interface Entrance {
  /** Whether the page's address had a token that the server did not take. */
  refused: boolean;
  enter: (token: string) => void;
}

/** What the place the dashboard is mounted in provides: a page, or the cell of a notebook. */
export interface Host {
  address: Address;
  /** The element that carries the colour scheme; shadow roots name their own. */
  rootElement: () => HTMLElement | undefined;
  /** Where Mantine's variables are declared: a selector. */
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
  report?: (selection: Selection, finished: boolean) => void;
  /** The word that lets our inline styles through the page's security policy. */
  nonce?: string;
  setTitle?: (title: string) => void;
  /** How one comes in where the server asks for a token; absent where none is needed. */
  entrance?: Entrance;
}

export const HostContext = createContext<Host | null>(null);

export function useHost(): Host {
  const host = useContext(HostContext);
  if (!host) throw new Error('useHost: outside of <HostContext>');
  return host;
}
