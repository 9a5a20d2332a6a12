import type { Observable } from '../base/observable';

/** `locked`: there, but it does not answer without its token. */
export type Connection = 'ready' | 'busy' | 'gone' | 'locked';

/** Carries the contract's requests: over HTTP, over a notebook's channel, or to generated data. */
export interface Transport {
  /** Where relative addresses start, without a slash at the end. */
  base: string;
  /** Whether the browser itself can load an address, as an <img> does. */
  direct: boolean;
  /** Whether the other side takes requests at all just now; absent where that cannot be told. */
  connection?: Observable<Connection>;
  fetch(request: Request): Promise<Response>;
}
