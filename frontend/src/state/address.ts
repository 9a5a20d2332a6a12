import { createLoader, createSerializer, type inferParserType, type ParserMap } from 'nuqs/server';
import { useCallback, useMemo } from 'react';
import { useObservable } from '../base/observable';
import { useHost } from './host';

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
