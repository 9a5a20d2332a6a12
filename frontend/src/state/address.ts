import { createLoader, createSerializer, type inferParserType, type ParserMap } from 'nuqs/server';
import { useCallback, useMemo } from 'react';
import { useHost } from './host';
import { type Observable, useObservable, Variable } from './observable';

/** Where the view is kept as a query string: the page's own address, or a trait of a notebook's widget. */
export interface Address extends Observable<string> {
  /** `replace`: without a step for Back. */
  write(search: string, replace: boolean): void;
}

type Changes<P extends ParserMap> = Partial<{
  [K in keyof inferParserType<P>]: inferParserType<P>[K] | null;
}>;

/** The parameters of the address that `parsers` know, and a way to change some of them. */
export function useAddress<P extends ParserMap>(parsers: P) {
  const { address } = useHost();
  const part = known(useObservable(address), parsers);
  const values = useMemo(() => createLoader(parsers)(part), [parsers, part]);
  const change = useCallback(
    (changes: Changes<P>, { replace = false } = {}) => {
      const next = createSerializer(parsers)(new URLSearchParams(address.get()), changes);
      address.write(next.replace(/^\?/, ''), replace);
    },
    [parsers, address],
  );
  return [values, change] as const;
}

/** What `parsers` read of a query string; the same text as long as only the rest changes. */
function known(search: string, parsers: ParserMap): string {
  return new URLSearchParams([...new URLSearchParams(search)].filter(([key]) => key in parsers)).toString();
}

const PAUSE = 250; // ms; browsers refuse more than a few changes a second

/** The address of the page; what is dragged is written once it rests. */
export function pageAddress(): Address & { close(): void } {
  const current = new Variable(location.search.slice(1));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const url = () => `${location.pathname}${current.get() && `?${current.get()}`}${location.hash}`;
  const flush = () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    history.replaceState(history.state, '', url());
  };
  const onBack = () => {
    clearTimeout(timer);
    timer = undefined;
    current.set(location.search.slice(1));
  };
  window.addEventListener('popstate', onBack);
  return {
    get: current.get,
    subscribe: current.subscribe,
    write(search, replace) {
      if (!replace) flush();
      current.set(search);
      if (replace) timer ??= setTimeout(flush, PAUSE);
      else history.pushState(null, '', url());
    },
    close() {
      clearTimeout(timer);
      window.removeEventListener('popstate', onBack);
    },
  };
}
