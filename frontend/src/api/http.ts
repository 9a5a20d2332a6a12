import { Variable } from '../base/observable';
import type { Connection, Transport } from './transport';

/** Requests relative to the page's own address, under any prefix. */
export function httpTransport(page: string): Transport {
  const connection = new Variable<Connection>('ready');
  return {
    base: new URL('.', page).href.replace(/\/$/, ''),
    direct: true,
    connection,
    fetch: async (request) => {
      const response = await fetch(request);
      if (response.headers.has('WWW-Authenticate')) connection.set('locked');
      else if (response.ok) connection.set('ready');
      return response;
    },
  };
}
