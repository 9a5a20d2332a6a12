import type { Transport } from './transport';

/** Requests relative to the page's own address, under any prefix. */
export function httpTransport(page: string): Transport {
  return {
    base: new URL('.', page).href.replace(/\/$/, ''),
    direct: true,
    fetch: (request) => fetch(request),
  };
}
